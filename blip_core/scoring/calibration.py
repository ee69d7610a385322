"""Whether a model is right as often as its probabilities promise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blip_core.errors import EmptyDataset
from blip_core.finite import check_finite
from blip_core.records import Letter, Prediction
from blip_core.scoring.breakdown import letters_of

BINS = 15  # as many as Guo et al. 2017 use

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose top probability lies above `low` and not above `high`.

    Attributes:
        low: lower end, excluded.
        high: upper end, included.
        n: answers.
        confidence: mean of their top probabilities.
        accuracy: share of right answers among them.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well probabilities tell the share of right answers.

    Attributes:
        ece: expected calibration error, 0 (as promised) to 1.
        brier: mean squared error of the probabilities, summed over letters, 0 (sure and right) to 2.
        bins: the reliability table, rising; bins that no answer falls into are left out.
    """

    ece: float
    brier: float
    bins: tuple[Bin, ...]

    def __post_init__(self) -> None:
        check_finite("a calibration", {"ece": self.ece, "brier": self.brier})


def calibration(predictions: Sequence[Prediction], bins: int = BINS) -> Calibration:
    """Compare top probabilities with right answers, in bins of equal width.

    The error is eq. 3 of Guo et al. 2017 (arXiv 1706.04599): the mean distance between confidence and
    accuracy, bins weighted by their answers. The score is that of Brier 1950 over all letters.

    Raises:
        EmptyDataset: when there are no predictions.
    """
    if not predictions:
        raise EmptyDataset("There are no predictions to score: the evaluation rows are empty.")
    letters = letters_of(predictions)
    chances = np.array([_padded(row.probabilities, len(letters)) for row in predictions], dtype=np.float64)
    right = np.array([row.is_right for row in predictions], dtype=np.float64)
    table = _reliability(chances.max(axis=1), right, bins)
    error = sum(one.n * abs(one.accuracy - one.confidence) for one in table) / len(predictions)
    return Calibration(ece=error, brier=_brier(chances, predictions, letters), bins=table)


def _reliability(confidence: Floats, right: Floats, bins: int) -> tuple[Bin, ...]:
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    return tuple(
        Bin(
            low=float(edges[index]),
            high=float(edges[index + 1]),
            n=int(np.sum(place == index)),
            confidence=float(confidence[place == index].mean()),
            accuracy=float(right[place == index].mean()),
        )
        for index in np.unique(place)
    )


def _padded(chances: Sequence[float], letters: int) -> list[float]:
    return [*chances, *[0.0] * (letters - len(chances))]


def _brier(chances: Floats, predictions: Sequence[Prediction], letters: Sequence[Letter]) -> float:
    truth = np.array([[row.truth == letter for letter in letters] for row in predictions], dtype=np.float64)
    return float(np.mean(np.sum((chances - truth) ** 2, axis=1)))
