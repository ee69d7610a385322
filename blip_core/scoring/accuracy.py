"""Share of right answers, letters ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from blip_core.errors import EmptyDataset
from blip_core.finite import check_finite
from blip_core.records import Prediction

SIGNIFICANCE = 0.05  # every interval of this package covers 95 %
# Standard deviations to either side: scipy's norm.isf(SIGNIFICANCE / 2), which takes a second to load.
_DEVIATIONS = 1.9599639845400545


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of `n` answers, between 0 and 1, with its 95 % interval; of right answers as a rule.

    Of texts it is the mean of the measure that ranks them, which may have another span.
    """

    value: float
    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        check_finite("a share", {"value": self.value, "low": self.low, "high": self.high})


def accuracy(predictions: Sequence[Prediction]) -> Accuracy:
    """Score ranked letters, with the Wilson score interval (Wilson 1927).

    The interval takes answers as independent. Several questions about one picture are not, so that it is
    somewhat too narrow there; `compare` clusters by picture.

    Raises:
        EmptyDataset: when there are no predictions.
    """
    return wilson(sum(prediction.is_right for prediction in predictions), len(predictions))


def wilson(right: int, n: int) -> Accuracy:
    """Share `right` / `n` with its Wilson score interval.

    Raises:
        EmptyDataset: when `n` is 0.
    """
    if not n:
        raise EmptyDataset("There are no predictions to score: the evaluation rows are empty.")
    share, square = right / n, _DEVIATIONS**2
    whole = 1 + square / n
    centre = (share + square / (2 * n)) / whole
    half = _DEVIATIONS * sqrt(share * (1.0 - share) / n + square / (4.0 * n**2)) / whole
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return Accuracy(share, min(low, share), max(high, share), n)  # last bits may stick out
