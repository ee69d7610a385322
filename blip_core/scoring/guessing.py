"""What guessing would reach, by the numbers of options that questions have."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from blip_core.records import LETTERS, Prediction


@dataclass(frozen=True, slots=True)
class Guessing:
    """Shares of right answers that a guesser may expect.

    Attributes:
        accuracy: one guess a question.
        circular: one guess a rotation, all of them right.
    """

    accuracy: float = 1 / len(LETTERS)
    circular: float = (1 / len(LETTERS)) ** len(LETTERS)


def guessing(predictions: Sequence[Prediction]) -> Guessing:
    """What a guesser may expect of the questions that were answered; of none, as of four options."""
    if not predictions:
        return Guessing()
    right = [1 / row.offered for row in predictions]
    return Guessing(
        fmean(right), fmean(share**row.offered for share, row in zip(right, predictions, strict=True))
    )
