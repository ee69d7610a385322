"""All scores of one variant, as JSON values, and all comparisons between several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from blip_core.records import Prediction
from blip_core.scoring.accuracy import accuracy
from blip_core.scoring.breakdown import by_category, by_kind, per_letter
from blip_core.scoring.calibration import calibration
from blip_core.scoring.captions import Caption, caption_scores
from blip_core.scoring.circular import averaged_accuracy, circular_accuracy
from blip_core.scoring.comparison import Comparison, compare
from blip_core.scoring.correction import holm
from blip_core.scoring.free_generation import free_generation, invalid_rate
from blip_core.scoring.modes import by_mode, compare_modes

Rows = Sequence[Prediction]
Pair = tuple[str, str]
Judged = TypeVar("Judged")


def unwatched(done: int, total: int) -> None:
    """Takes progress, and tells nobody."""


def score(rows: Rows, is_free: bool, ablations: Rows = ()) -> dict[str, Any]:
    """All scores of one variant; what was not asked for is absent.

    Args:
        rows: its answers, everything shown.
        is_free: whether answers were written freely, too; those of a server always are.
        ablations: its answers in other modes.
    """
    return {
        "accuracy": asdict(accuracy(rows)),
        **(_written(rows) if is_free or any(row.generated for row in rows) else {}),
        **_rotated(rows),
        **_calibrated(rows),
        **({"ablations": _values(by_mode(ablations))} if ablations else {}),
        "by_kind": _values(by_kind(rows)),
        "by_category": _values(by_category(rows)),
        "per_letter": _values(per_letter(rows)),
    }


def score_captions(rows: Rows, right: Mapping[str, str]) -> dict[str, Any]:
    """BLEU and ROUGE of the descriptions; empty where nothing was described or is known.

    Args:
        rows: answers of one variant.
        right: what was to be written, by row.
    """
    captions = [
        Caption(row.id, row.description, (right[row.id],))
        for row in rows
        if row.description and row.id in right
    ]
    if not captions:
        return {}
    scores = caption_scores(captions)
    cases = {name: asdict(case) for name, case in scores.cases.items()}
    return {"captions": {"n": scores.n, "bleu": asdict(scores.bleu), "cases": cases}}


def compare_pairs(
    answers: Mapping[str, Judged],
    wanted: Sequence[Pair] = (),
    seed: int = 0,
    on_progress: Callable[[int, int], None] = unwatched,
    judge: Callable[..., Comparison] = compare,
) -> list[dict[str, Any]]:
    """All comparisons between variants, corrected for their number.

    Args:
        answers: what is compared of each variant, in order.
        wanted: pairs of names that are compared besides the usual ones.
        seed: of the resampling.
        on_progress: told how many are done, of how many.
        judge: compares two of them.
    """
    names = list(answers)
    pairs = [(names[a], names[b]) for a, b in pairs_to_compare(len(names))]
    pairs += [pair for pair in wanted if pair not in pairs and set(pair) <= set(names)]
    comparisons = []
    for done, (a, b) in enumerate(pairs, start=1):
        comparisons.append(judge(answers[a], answers[b], seed=seed))
        on_progress(done, len(pairs))
    return [asdict(one) for one in holm(comparisons)]


def pairs_to_compare(count: int) -> list[tuple[int, int]]:
    """Each variant with its forerunner, then each from the third on with the first."""
    neighbours = [(index, index + 1) for index in range(count - 1)]
    return neighbours + [(0, index) for index in range(2, count)]


def compare_ablations(
    answers: Mapping[str, Rows], ablations: Mapping[str, Rows], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Each mode with the answers where all was shown, by variant; corrected over all of them together."""
    found = {name: compare_modes(rows, ablations[name], seed) for name, rows in answers.items()}
    corrected = iter(holm([one for several in found.values() for one in several]))
    return {name: [asdict(next(corrected)) for _ in several] for name, several in found.items() if several}


def _written(rows: Rows) -> dict[str, Any]:
    return {"free_generation": free_generation(rows)._asdict(), "invalid": asdict(invalid_rate(rows))}


def _calibrated(rows: Rows) -> dict[str, Any]:
    """Calibration over the rows that tell probabilities; nothing where none does."""
    telling = [row for row in rows if row.tells_probabilities]
    if not telling:
        return {}
    found = calibration(telling)
    bins = [asdict(one) for one in found.bins]
    return {"calibration": {"ece": found.ece, "brier": found.brier, "bins": bins}}


def _rotated(rows: Rows) -> dict[str, Any]:
    found = {"circular": circular_accuracy(rows), "averaged": averaged_accuracy(rows)}
    return {name: asdict(value) for name, value in found.items() if value is not None}


def _values(scores: Any) -> dict[str, Any]:
    return {name: asdict(value) for name, value in scores.items()}
