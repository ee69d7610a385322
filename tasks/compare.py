"""Stage 7: the variants' answers become a ladder of scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import scoring, strict_json
from blip_core.errors import TableError
from blip_core.recipes import AnyVariant, Recipe
from blip_core.recipes.variants import CHAMPION, REGISTRY_SCHEME
from blip_core.records import Prediction
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace
from tasks.captions import labelled_descriptions, score_captions
from tasks.predict_variant import read_ablations, read_predictions
from tasks.stage import metadata_of, path_of, stage, watcher

VERSION = 3
FILE = "scores.json"
_SHOWN_CHARS = 18  # of an identity: enough to tell two apart

Rows = Sequence[Prediction]


def key(recipe: Recipe, predictions: Sequence[ArtifactRef]) -> str:
    inputs = {
        "version": VERSION,
        "seed": recipe.seed,
        "free_generation": recipe.inference.free_generation,
        "candidates": candidates(recipe),
        "predictions": [ref.digest for ref in predictions],
    }
    return workplace().store.key("scores", inputs)


@stage("compare", key)
def compare(recipe: Recipe, predictions: Sequence[ArtifactRef]) -> ArtifactRef:
    """Score every variant; compare each with the one before it and the first, the tuned with their bases.

    Raises:
        TableError: The variants were not judged on the same rows.
    """
    check_same_evaluation(predictions)

    def build(folder: Path) -> dict[str, Any]:
        answers = {rows[0].variant: rows for rows in map(read_predictions, predictions)}
        ablations = dict(zip(answers, map(read_ablations, predictions), strict=True))
        is_free = recipe.inference.free_generation
        described = labelled_descriptions(predictions[0])
        scores = {
            "variants": {
                name: score(rows, is_free, ablations[name]) | score_captions(rows, described)
                for name, rows in answers.items()
            },
            "guessing": asdict(scoring.guessing(next(iter(answers.values())))),
            "comparisons": compare_pairs(recipe, answers),
            "ablation_comparisons": compare_ablations(answers, ablations, recipe.seed),
            "candidates": candidates(recipe),
        }
        (folder / FILE).write_text(strict_json.dumps(scores, indent=1), encoding="utf-8")
        answered = {name: ref.key for name, ref in zip(answers, predictions, strict=True)}
        return {"rows": len(answers), "recipe": recipe.name, "made_from": answered}

    return workplace().store.publish(key(recipe, predictions), "scores", build).ref()


def check_same_evaluation(predictions: Sequence[ArtifactRef]) -> None:
    """Refuse answers to different evaluation rows before any of them is read.

    Raises:
        TableError: At least two variants were judged on different rows, by the identity that their
            manifests hold.
    """
    told = [metadata_of(ref) for ref in predictions]
    judged_on = {one["variant"]: one.get("evaluation_identity", "") for one in told}
    first, *others = judged_on.items()
    for name, identity in others:
        if identity != first[1]:
            raise TableError(
                f"{name} answered other rows than {first[0]} (evaluation {_short(identity)} and "
                f"{_short(first[1])}): scores on different rows cannot be compared. Let both answer the same "
                "dataset or table."
            )


def candidates(recipe: Recipe) -> list[tuple[str, str]]:
    """Whom each variant that carries this run's adapter has to beat to become champion, by name.

    That is the champion where it takes part, else each base without adapter.
    """
    reigning = [variant.name for variant in recipe.variants if _is_champion(recipe, variant)]
    plain = [variant.name for variant in recipe.variants if variant.role == "base" and not variant.adapter]
    tuned = [variant.name for variant in recipe.variants if variant.adapter is True]
    return [(held, name) for held in reigning or plain for name in tuned]


def _is_champion(recipe: Recipe, variant: AnyVariant) -> bool:
    return variant.adapter in (CHAMPION, f"{REGISTRY_SCHEME}{recipe.name}-adapter@{CHAMPION}")


def compare_pairs(recipe: Recipe, answers: Mapping[str, Rows]) -> list[dict[str, Any]]:
    """All comparisons between variants, corrected for their number, as JSON values."""
    names = list(answers)
    pairs = [(names[a], names[b]) for a, b in pairs_to_compare(len(names))]
    pairs += [pair for pair in candidates(recipe) if pair not in pairs and set(pair) <= set(names)]
    comparisons = []
    for done, (a, b) in enumerate(pairs, start=1):
        comparisons.append(scoring.compare(answers[a], answers[b], recipe.seed))
        watcher().progress(done, len(pairs))
    return [asdict(one) for one in scoring.holm(comparisons)]


def compare_ablations(
    answers: Mapping[str, Rows], ablations: Mapping[str, Rows], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Each mode with the answers where all was shown, by variant; corrected over all of them together."""
    found = {name: scoring.compare_modes(rows, ablations[name], seed) for name, rows in answers.items()}
    corrected = iter(scoring.holm([one for several in found.values() for one in several]))
    return {name: [asdict(next(corrected)) for _ in several] for name, several in found.items() if several}


def pairs_to_compare(count: int) -> list[tuple[int, int]]:
    """Each variant with its forerunner, then each from the third on with the first."""
    neighbours = [(index, index + 1) for index in range(count - 1)]
    return neighbours + [(0, index) for index in range(2, count)]


def score(rows: Rows, is_free: bool, ablations: Rows = ()) -> dict[str, Any]:
    """All scores of one variant, as JSON values; what was not asked for is absent.

    Args:
        rows: its answers, everything shown.
        is_free: whether answers were written freely, too; those of a server always are.
        ablations: its answers in other modes.
    """
    return {
        "accuracy": asdict(scoring.accuracy(rows)),
        **(_written(rows) if is_free or any(row.generated for row in rows) else {}),
        **_rotated(rows),
        "calibration": _calibration(rows),
        **({"ablations": _values(scoring.by_mode(ablations))} if ablations else {}),
        "by_kind": _values(scoring.by_kind(rows)),
        "by_category": _values(scoring.by_category(rows)),
        "per_letter": _values(scoring.per_letter(rows)),
    }


def _written(rows: Rows) -> dict[str, Any]:
    return {
        "free_generation": scoring.free_generation(rows)._asdict(),
        "invalid": asdict(scoring.invalid_rate(rows)),
    }


def _calibration(rows: Rows) -> dict[str, Any]:
    found = scoring.calibration(rows)
    return {"ece": found.ece, "brier": found.brier, "bins": [asdict(one) for one in found.bins]}


def _rotated(rows: Rows) -> dict[str, Any]:
    found = {"circular": scoring.circular_accuracy(rows), "averaged": scoring.averaged_accuracy(rows)}
    return {name: asdict(value) for name, value in found.items() if value is not None}


def _values(scores: Any) -> dict[str, Any]:
    return {name: asdict(value) for name, value in scores.items()}


def _short(identity: str) -> str:
    return identity[:_SHOWN_CHARS] or "of an unknown kind"


def read_scores(ref: ArtifactRef) -> dict[str, Any]:
    scores: dict[str, Any] = strict_json.loads((path_of(ref) / FILE).read_text(encoding="utf-8"))
    return scores
