"""What gates catch of the faults in labels, and what they lose: `make gates`.

The bundled labeller labels composed, shifted pictures, whose truth is known: `W`. In `X` faults are planted
in 240 of 1,000 rows, in `Y` in 100. A gate's score is held against the truth: area under the curve, and the
share of bad rows that it refuses where it may lose a tenth of the good ones. A row is bad where its answer or
its description is wrong.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from transformers.utils import logging

from blip_core.curation.alarm import STUCK, estimate_wrong
from blip_core.curation.blind import GATE as BLIND
from blip_core.curation.blind import ask_blind
from blip_core.curation.confidence import check_confidence, confidence_of
from blip_core.curation.second_judge import GATE as SECOND_JUDGE
from blip_core.curation.second_judge import ask_second_judge
from blip_core.ports import Weight
from blip_core.recipes import load_recipe
from blip_core.recipes.curation import Alarm, Blind, Confidence, SecondJudge
from blip_core.records import Example
from blip_core.wiring import build_labeller, gate_models
from blip_core.wiring.checkpoints import locate_checkpoint
from tests.benchmarks import gates_page, measuring
from tests.benchmarks.gates_rescoring import Rescorer
from tests.benchmarks.gates_world import FAULTS, Known, composed, labelled, stuck, with_faults

RESULTS = measuring.RESULTS / "gates.json"
PICTURES = 500
FAULTS_X, FAULTS_Y = 80, 33  # of each of the three kinds, in 1,000 rows
LOSS = 0.1
BOUND = -0.5  # below what the bundled labeller writes of any picture that it sees
JUDGE = "flan-t5"
SEED = 7

Scores = NDArray[np.float64]


def figures(scores: Scores, rows: Sequence[Known]) -> dict[str, Any]:
    """How well low scores tell bad rows."""
    bad = np.array([one.is_bad for one in rows])
    ranks = rankdata(-scores)
    pairs = bad.sum() * (~bad).sum()
    area = (ranks[bad].sum() - bad.sum() * (bad.sum() + 1) / 2) / pairs
    bound = np.quantile(scores[~bad], LOSS)
    told: dict[str, Any] = {"auc": _rounded(area), "recall": _rounded(np.mean(scores[bad] < bound))}
    for fault in FAULTS:
        planted = np.array([one.fault == fault for one in rows])
        if planted.any():
            told[fault] = _rounded(np.mean(scores[planted] < bound))
    return told


def judged(rows: Sequence[Known], recipe: Any) -> dict[str, Scores]:
    """Scores of the second judge: answers, descriptions, the lower rank of both, and without pictures."""
    examples = [one.row for one in rows]
    settings = SecondJudge(enabled=True, variant=JUDGE)
    with gate_models(recipe)(SECOND_JUDGE, settings) as judge:
        both = judge.weigh(examples)
        blind = judge.weigh(examples, "blind")
        described = judge.weigh(examples, "description-only")
    answers, descriptions = _column(both, "answer"), _column(both, "description")
    return {
        "the judge's likelihood of the answer, with picture and the label's description": answers,
        "the judge's likelihood of the description": descriptions,
        "second judge: the lower rank of the last two": np.minimum(rankdata(answers), rankdata(descriptions)),
        "blind: the answer's likelihood without picture": _column(blind, "answer"),
        "from the description alone": _column(described, "answer"),
    }


def confident(rows: Sequence[Known]) -> dict[str, Scores]:
    """Scores of the labeller itself."""
    names = {
        "both": "**labeller's confidence: description x right option**",
        "description": "its confidence in the description alone",
        "answer": "its confidence in the right option alone",
    }
    return {
        words: np.array([confidence_of(one.row, name) or 0.0 for one in rows])
        for name, words in names.items()
    }


def gate_as_shipped(rows: Sequence[Known], settings: Confidence) -> dict[str, Any]:
    """What the gate refuses as it stands, calibrated on the first rows."""
    kept, refused, *_ = check_confidence([one.row for one in rows], settings)
    gone = {one.id for one in refused}
    bad = [one for one in rows if one.is_bad]
    good = [one for one in rows if not one.is_bad]
    planted = [one for one in rows if one.fault]
    caught = (
        {"planted": _rounded(sum(one.row.id in gone for one in planted) / len(planted))} if planted else {}
    )
    by_groups = Counter(len(one.scene.groups) for one in rows)
    lost = Counter(len(one.scene.groups) for one in rows if one.row.id in gone)
    return {
        "kept": len(kept),
        "recall": _rounded(sum(one.row.id in gone for one in bad) / len(bad)),
        "loss": _rounded(sum(one.row.id in gone for one in good) / len(good)),
        **caught,
        "refused_by_groups": {str(n): _rounded(lost[n] / by_groups[n]) for n in sorted(by_groups)},
    }


def truth(rows: Sequence[Known]) -> dict[str, float]:
    """Shares of rows that are wrong, and what the alarm estimates without knowing."""
    estimates = estimate_wrong([one.row for one in rows], {}, Alarm())
    return {
        "rows": len(rows),
        "wrong_answers": _rounded(np.mean([one.has_wrong_answer for one in rows])),
        "bad": _rounded(np.mean([one.is_bad for one in rows])),
        **{f"estimated by {name}": _rounded(value) for name, value in estimates.items()},
    }


def stuck_counts(rows: Sequence[Example]) -> dict[str, float]:
    """What the counter of stuck answers estimates where so many rows of a thousand are stuck."""
    counts = {f"{share:.0%}": round(share * len(rows)) for share in (0.0, 0.04, 0.08)}
    found = {
        name: estimate_wrong(stuck(rows, count, "swing", SEED), {}, Alarm()) for name, count in counts.items()
    }
    return {name: _rounded(told[STUCK]) for name, told in found.items()}


def measure(pictures: int, threads: int) -> dict[str, Any]:
    recipe = load_recipe("gallery-vqa", "pocket", [f"device.threads={threads}"])
    labeller = build_labeller(recipe)
    made: list[list[Known]] = []
    cost = {
        "labelling": measuring.cpu_seconds(
            lambda: made.append(labelled(recipe, labeller, *composed(pictures, SEED)))
        )
    }
    labeller.close()
    (plain,) = made
    rescorer = Rescorer(locate_checkpoint(recipe.labels.model), recipe.labels.prompt)
    again: list[Any] = []
    cost["rescoring"] = measuring.cpu_seconds(
        lambda: again.append(rescorer.scored([one.picture for one in plain], [one.written for one in plain]))
    )
    differences = [
        abs(mine - other)
        for one, anew in zip(plain, again[0], strict=True)
        for mine, other in zip(one.written.log_probabilities, anew.log_probabilities, strict=True)
    ]
    per_thousand = len(plain) / 1000
    sets = {"W": plain}
    for name, faults in (("X", FAULTS_X), ("Y", FAULTS_Y)):
        sets[name] = with_faults(plain, round(faults * per_thousand), rescorer, SEED)
    table: dict[str, dict[str, Any]] = {}
    for name in ("W", "X"):
        measuring.tell(f"{name}: {len(sets[name])} rows before the second judge")
        scores: dict[str, Scores] = dict(confident(sets[name]))
        spent = measuring.cpu_seconds(partial(_into, scores, sets[name], recipe))
        cost["second judge, three ways"] = spent
        for gate, values in scores.items():
            table.setdefault(gate, {})[name] = figures(values, sets[name])
    return {
        "machine": measuring.machine(threads),
        "versions": measuring.versions(),
        "sets": {name: truth(rows) for name, rows in sets.items()},
        "gates": table,
        "as_shipped": {
            "in strata, a fifth of X": gate_as_shipped(
                sets["X"], Confidence(enabled=True, score="both", refused_share=0.2)
            ),
            "without strata, a fifth of X": gate_as_shipped(
                sets["X"], Confidence(enabled=True, score="both", refused_share=0.2, strata=())
            ),
            **{
                f"with a bound of {BOUND}, on {name}": gate_as_shipped(
                    sets[name], Confidence(enabled=True, score="both", bound=BOUND)
                )
                for name in ("W", "X")
            },
        },
        "measured_blind": measured_blind(plain, recipe),
        "second_judge_as_shipped": judge_as_shipped(sets["X"], recipe),
        "stuck": stuck_counts([one.row for one in plain]),
        "kept_equals_rescored": {
            "tokens": len(differences),
            "largest_difference": float(f"{max(differences):.1e}"),
        },
        "cpu_seconds_per_1000_rows": {name: round(spent / per_thousand, 1) for name, spent in cost.items()},
    }


def measured_blind(rows: Sequence[Known], recipe: Any) -> dict[str, float]:
    settings = Blind(enabled=True, variant=JUDGE)
    with gate_models(recipe)(BLIND, settings) as judge:
        *_, measured = ask_blind([one.row for one in rows], settings, judge)
    return {name: _rounded(value) for name, value in measured.items()}


def judge_as_shipped(rows: Sequence[Known], recipe: Any) -> dict[str, float]:
    settings = SecondJudge(enabled=True, variant=JUDGE, by="likelihood", refused_share=0.2)
    with gate_models(recipe)(SECOND_JUDGE, settings) as judge:
        _, refused, *_ = ask_second_judge([one.row for one in rows], settings, judge)
    gone = {one.id for one in refused}
    bad, good = ([one for one in rows if one.is_bad == wanted] for wanted in (True, False))
    planted = [one for one in rows if one.fault]
    return {
        "planted": _rounded(sum(one.row.id in gone for one in planted) / len(planted)),
        "recall": _rounded(sum(one.row.id in gone for one in bad) / len(bad)),
        "loss": _rounded(sum(one.row.id in gone for one in good) / len(good)),
    }


def _into(scores: dict[str, Scores], rows: Sequence[Known], recipe: Any) -> None:
    scores.update(judged(rows, recipe))


def _column(weights: Sequence[Weight], name: str) -> Scores:
    return np.array([getattr(one, name) for one in weights], dtype=np.float64)


def _rounded(value: Any) -> float:
    return round(float(value), 3)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the results and their page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with measuring.threads(asked.threads):
        results: Mapping[str, Any] = {"command": "make gates", **measure(asked.pictures, asked.threads)}
    page = gates_page.page(results)
    measuring.write(asked.out, results, page)
    sys.stdout.write(page)


if __name__ == "__main__":
    main(sys.argv[1:])
