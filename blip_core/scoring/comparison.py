"""Paired comparison of two variants that answered the same questions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blip_core.errors import EmptyDataset, TableError
from blip_core.records import Prediction
from blip_core.scoring.accuracy import SIGNIFICANCE

RESAMPLES = 10_000
_RESAMPLES_AT_ONCE = 500  # keeps the table of draws at some MB for thousands of pictures
_SHOWN_IDS = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much more often `b` is right than `a`.

    Attributes:
        a: name of the variant that is measured against.
        b: name of the variant that is measured.
        difference: accuracy of `b` less accuracy of `a`, from -1 to 1.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        p_value: two-sided, exact McNemar.
        discordant: questions that one of the two answers right and the other wrong.
        n: questions in all.
        clusters: pictures in all.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p_value: float
    discordant: int
    n: int
    clusters: int

    @property
    def is_significant(self) -> bool:
        """Whether both the interval leaves zero out and the p-value is below 0.05."""
        return self.p_value < SIGNIFICANCE and (self.low > 0 or self.high < 0)


def compare(a: Sequence[Prediction], b: Sequence[Prediction], seed: int = 0) -> Comparison:
    """Compare ranked letters of two variants on the same questions, in any order.

    The p-value is that of the exact McNemar test (McNemar 1947), which takes questions as independent. The
    interval is a percentile bootstrap that resamples whole pictures, so that several questions about one
    picture do not count as so many independent ones.

    Raises:
        EmptyDataset: when there are no predictions.
        TableError: when the two did not answer the same questions, once each, with the same true answers.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    rows = _paired(a, b)
    right = np.array([(first.is_right, second.is_right) for first, second in rows], dtype=np.int64)
    only_a = int(np.sum(right[:, 0] > right[:, 1]))
    only_b = int(np.sum(right[:, 1] > right[:, 0]))
    table = [[0, only_a], [only_b, 0]]  # the test looks at discordant questions alone
    pictures = [first.picture_id for first, _ in rows]
    gains, sizes = _by_cluster(right[:, 1] - right[:, 0], pictures)
    low, high = _bootstrap_interval(gains, sizes, seed)
    return Comparison(
        a=rows[0][0].variant,
        b=rows[0][1].variant,
        difference=(only_b - only_a) / len(rows),
        low=low,
        high=high,
        p_value=float(mcnemar(table, exact=True).pvalue),
        discordant=only_a + only_b,
        n=len(rows),
        clusters=len(sizes),
    )


def verdict(comparison: Comparison) -> str:
    """Say in one sentence what a comparison shows."""
    points = 100 * comparison.difference
    low, high = 100 * comparison.low, 100 * comparison.high
    interval = f"95 % interval {low:+.1f} to {high:+.1f}, p {_p_text(comparison)}"
    if not comparison.is_significant:
        return f"{comparison.b} and {comparison.a} cannot be told apart ({points:+.1f} points; {interval})."
    relation = "better" if points > 0 else "worse"
    return f"{comparison.b} is {relation} than {comparison.a} by {abs(points):.1f} points ({interval})."


def _p_text(comparison: Comparison) -> str:
    return "< 0.001" if comparison.p_value < 0.001 else f"= {comparison.p_value:.3f}"


def _paired(a: Sequence[Prediction], b: Sequence[Prediction]) -> list[tuple[Prediction, Prediction]]:
    if not a and not b:
        raise EmptyDataset("There are no predictions to compare: the evaluation rows are empty.")
    first, second = _by_id(a), _by_id(b)
    if first.keys() != second.keys():
        raise TableError(_different_rows(first, second))
    for name, row in first.items():
        other = second[name]
        if (row.truth, row.picture_id) != (other.truth, other.picture_id):
            raise TableError(
                f"Question {name} has the answer {row.truth} about {row.picture_id} for {row.variant}, but "
                f"{other.truth} about {other.picture_id} for {other.variant}: "
                "the two come from different tables. Let both variants answer the same one."
            )
    return [(first[name], second[name]) for name in sorted(first)]


def _by_id(predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    rows = {prediction.id: prediction for prediction in predictions}
    if len(rows) == len(predictions):
        return rows
    name, times = Counter(prediction.id for prediction in predictions).most_common(1)[0]
    raise TableError(f"{rows[name].variant} answers question {name} {times} times; ids must differ.")


def _different_rows(first: Mapping[str, Prediction], second: Mapping[str, Prediction]) -> str:
    only_first, only_second = sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys())
    examples = ", ".join((only_first + only_second)[:_SHOWN_IDS])
    return (
        f"{_variant(first)} and {_variant(second)} did not answer the same questions: {len(only_first)} were "
        f"answered by the first alone and {len(only_second)} by the second alone (such as {examples}). "
        "Let both answer the same table."
    )


def _variant(rows: Mapping[str, Prediction]) -> str:
    return next((row.variant for row in rows.values()), "A variant without rows")


def _by_cluster(gains: NDArray[np.int64], clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum gains and count rows by cluster: two float64 arrays, (clusters,)."""
    _, index = np.unique(np.array(clusters), return_inverse=True)
    return np.bincount(index, weights=gains).astype(np.float64), np.bincount(index).astype(np.float64)


def _bootstrap_interval(gains: Floats, sizes: Floats, seed: int) -> tuple[float, float]:
    """Percentile interval of the mean gain a row, whole clusters resampled `RESAMPLES` times."""
    rng = np.random.default_rng(seed)
    count = len(sizes)
    means = []
    for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE):
        drawn = rng.integers(count, size=(_RESAMPLES_AT_ONCE, count))
        means.append(gains[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tails = [SIGNIFICANCE / 2, 1 - SIGNIFICANCE / 2]
    low, high = np.quantile(np.concatenate(means), tails)
    return float(low), float(high)
