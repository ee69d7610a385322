"""Scores of variants that wrote texts: means of measures, with intervals that resample whole pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from blip_core.errors import EmptyDataset
from blip_core.kinds import kind_of
from blip_core.records import Prediction
from blip_core.scoring.accuracy import Accuracy
from blip_core.scoring.bleu import corpus_bleu
from blip_core.scoring.bootstrap import RESAMPLES, clustered_interval
from blip_core.scoring.comparison import Comparison
from blip_core.scoring.main_measure import main_measure, ranking
from blip_core.scoring.measurement import Measurement, answers_of, measure
from blip_core.scoring.measures import Measure
from blip_core.scoring.measures.bleu import CORPUS_BLEU
from blip_core.scoring.paired import compare_values

Rows = Sequence[Prediction]
Measured = Sequence[Measurement]


def score_texts(
    rows: Rows, measured: Measured | None = None, seed: int = 0, draws: int = RESAMPLES
) -> dict[str, Any]:
    """All scores of one variant whose rows have no options, as JSON values.

    Args:
        rows: its answers.
        measured: their measurements, where they were made already.
        seed: of the resampling.
        draws: resamples of each interval.

    Raises:
        EmptyDataset: There are no rows, or of none is it known what is right.
    """
    if not rows:
        raise EmptyDataset("There are no predictions to score: the evaluation rows are empty.")
    if measured is None:
        measured = measure(rows, rows[0].variant)
    main = main_measure(rows[0].task)
    judged = [one for one in measured if one.measure == main.name]
    if not judged:
        raise EmptyDataset("There is nothing to score: of no row is it known what would be right.")
    return {
        "measure": asdict(ranking(rows[0].task)),
        "main": asdict(mean_with_interval(judged, main, seed, draws)),
        "measures": means(measured) | _corpus(rows),
        "by_kind": _parts(rows, judged, "kind", main, seed, draws),
        "by_category": _parts(rows, judged, "category", main, seed, draws),
    }


def _corpus(rows: Rows) -> dict[str, float]:
    """BLEU over all captions, 0 to 1: n-grams are counted over the whole corpus (Papineni et al. 2002)."""
    judged = [one for one in answers_of(rows) if not kind_of(one.task).asks and one.references]
    if not judged:
        return {}
    found = corpus_bleu([one.text for one in judged], [one.references for one in judged])
    return {CORPUS_BLEU: found.value / 100}


def means(measured: Iterable[Measurement]) -> dict[str, float]:
    """Mean of each measure over the rows that have a value, measures in order of their first one."""
    values: dict[str, list[float]] = {}
    for one in measured:
        values.setdefault(one.measure, []).append(one.value)
    return {name: fmean(several) for name, several in values.items()}


def mean_with_interval(judged: Measured, measure: Measure, seed: int = 0, draws: int = RESAMPLES) -> Accuracy:
    """Mean of one measure with its 95 % interval, pictures resampled; one picture alone leaves it unknown."""
    values = np.array([one.value for one in judged])
    low, high, clusters = clustered_interval(values, [one.picture for one in judged], seed, draws)
    mean = float(values.mean())
    if clusters == 1:
        low, high = 0.0, measure.span or 2 * mean
    return Accuracy(mean, min(low, mean), max(high, mean), len(judged))


def compare_measured(
    a: Measured, b: Measured, measure: Measure, seed: int = 0, draws: int = RESAMPLES
) -> Comparison:
    """Compare two variants by one measure on the rows that both have a value for.

    Raises:
        EmptyDataset: They have no such row in common.
    """
    first = {one.row: one for one in a if one.measure == measure.name}
    second = {one.row: one for one in b if one.measure == measure.name}
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise EmptyDataset(
            f"There is nothing to compare: no row has a value of {measure.name} for both variants."
        )
    found = compare_values(
        np.array([first[row].value for row in shared]),
        np.array([second[row].value for row in shared]),
        [first[row].picture for row in shared],
        measure.span,
        seed,
        draws,
    )
    return Comparison(a=first[shared[0]].variant, b=second[shared[0]].variant, **asdict(found))


def _parts(
    rows: Rows, judged: Measured, field: str, main: Measure, seed: int, draws: int
) -> Mapping[str, Any]:
    """The main measure by kind or category, in order of their names; rows without one are left out."""
    part_of = {row.id: str(getattr(row, field)) for row in rows}
    parts: dict[str, list[Measurement]] = {}
    for one in judged:
        parts.setdefault(part_of[one.row], []).append(one)
    return {
        name: asdict(mean_with_interval(parts[name], main, seed, draws)) for name in sorted(parts) if name
    }
