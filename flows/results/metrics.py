"""Scores under the names that MLflow compares runs and variants by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from blip_core.reporting import Ladder
from blip_core.scoring import BY_LETTER, Comparison, Finding, Ranking, main_score

_CALIBRATION = {"eval/calibration_error": "ece", "eval/brier": "brier"}


def headline(ladder: Ladder) -> dict[str, float]:
    """The scores of a whole run: of the variant its verdict is about, then each accuracy and each gain."""
    last, measure = ladder.rungs[-1], ladder.ranking.metric
    return {
        **score_metrics(asdict(last.accuracy), measure),
        **gain_metrics(ladder.comparison_for(last.name)),
        **{f"{measure}/{rung.name}": rung.accuracy.value for rung in ladder.rungs},
        **{f"gain/{one.b}_over_{one.a}": one.difference for one in ladder.comparisons},
    }


def gain_metrics(comparison: Comparison | None) -> dict[str, float]:
    """How much better a variant is than the one it is measured against, and how sure that is."""
    if comparison is None:
        return {}
    ends = {"eval/gain_low": comparison.low, "eval/gain_high": comparison.high}
    return {"eval/gain": comparison.difference, **ends, "eval/gain_p": comparison.p}


def score_metrics(score: Mapping[str, Any], measure: str = BY_LETTER.metric) -> dict[str, float]:
    """An accuracy, or what else variants are ranked by, and the ends of its 95 % interval."""
    return {
        f"eval/{measure}": score["value"],
        f"eval/{measure}_low": score["low"],
        f"eval/{measure}_high": score["high"],
    }


def variant_metrics(values: Mapping[str, Any], ranking: Ranking = BY_LETTER) -> dict[str, float]:
    """The scores of a variant; of texts the mean of every measure."""
    score, free = main_score(values), values.get("free_generation")
    calibration = values.get("calibration") or {}
    calibrated = {name: calibration[field] for name, field in _CALIBRATION.items() if calibration}
    written = {"eval/generation_accuracy": free["accuracy"], "eval/invalid": free["invalid"]} if free else {}
    further = {f"eval/{name}": values[name]["value"] for name in ("circular", "averaged") if name in values}
    modes = {f"eval/mode_{mode}": score["value"] for mode, score in values.get("ablations", {}).items()}
    kinds = {f"eval/{ranking.metric}_{kind}": one["value"] for kind, one in values["by_kind"].items()}
    return {
        **score_metrics(score, ranking.metric),
        "eval/rows": score["n"],
        **calibrated,
        **written,
        **further,
        **modes,
        **kinds,
        **{f"eval/{name}": mean for name, mean in values.get("measures", {}).items()},
    }


def finding_metrics(findings: Sequence[Finding]) -> dict[str, float]:
    """What came of each finding, as `finding/NAME/...`."""
    return {
        f"finding/{one.name}/{name}": value
        for one in findings
        for name, value in _finding_values(one).items()
    }


def _finding_values(finding: Finding) -> dict[str, float]:
    low, high = finding.ci95
    found = {"difference": finding.difference, "low": low, "high": high}
    return found | {"p_adjusted": finding.p_adjusted, "holds": float(finding.holds)}


def finding_row(finding: Finding) -> dict[str, Any]:
    """A finding as a row of a table."""
    low, high = finding.ci95
    told = {name: value for name, value in asdict(finding).items() if name != "ci95"}
    return told | {"low": low, "high": high}
