"""Paired comparison of two variants that answered the same questions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from blip_core.finite import check_finite
from blip_core.records import Prediction
from blip_core.scoring.accuracy import SIGNIFICANCE
from blip_core.scoring.paired import compare_values
from blip_core.scoring.pairing import pair


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
        p_adjusted: the p-value after Holm's correction; None as long as it was not corrected.
        family: comparisons that the correction accounts for.
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
    p_adjusted: float | None = None
    family: int = 1

    def __post_init__(self) -> None:
        names = ("difference", "low", "high", "p_value", "p_adjusted")
        check_finite(f"{self.b} against {self.a}", {name: getattr(self, name) for name in names})

    @property
    def p(self) -> float:
        """The p-value to go by: the adjusted one where there is one."""
        return self.p_value if self.p_adjusted is None else self.p_adjusted

    @property
    def is_significant(self) -> bool:
        """Whether both the interval leaves zero out and the p-value to go by is below 0.05."""
        return self.p < SIGNIFICANCE and (self.low > 0 or self.high < 0)


def compare(a: Sequence[Prediction], b: Sequence[Prediction], seed: int = 0) -> Comparison:
    """Compare ranked letters of two variants on the same questions, in any order.

    The p-value is that of the exact McNemar test (McNemar 1947), which takes questions as independent. The
    interval is a percentile bootstrap that resamples whole pictures, so that several questions about one
    picture do not count as so many independent ones.

    Raises:
        EmptyDataset: when there are no predictions.
        TableError: when the two did not answer the same questions, once each, with the same true answers.
    """
    rows = pair(a, b)
    right = np.array([(first.is_right, second.is_right) for first, second in rows], dtype=np.float64)
    pictures = [first.picture_id for first, _ in rows]
    found = compare_values(right[:, 0], right[:, 1], pictures, seed=seed)
    return Comparison(a=rows[0][0].variant, b=rows[0][1].variant, **asdict(found))


def verdict(comparison: Comparison) -> str:
    """Say in one sentence what a comparison shows."""
    points = 100 * comparison.difference
    low, high = 100 * comparison.low, 100 * comparison.high
    interval = f"95 % interval {low:+.1f} to {high:+.1f}, {_p_text(comparison)}"
    if not comparison.is_significant:
        return f"{comparison.b} and {comparison.a} cannot be told apart ({points:+.1f} points; {interval})."
    relation = "better" if points > 0 else "worse"
    return f"{comparison.b} is {relation} than {comparison.a} by {abs(points):.1f} points ({interval})."


def _p_text(comparison: Comparison) -> str:
    value = "p < 0.001" if comparison.p < 0.001 else f"p = {comparison.p:.3f}"
    if comparison.p_adjusted is None or comparison.family == 1:
        return value
    return f"{value} adjusted for {comparison.family} comparisons"
