"""Answers that a model wrote freely instead of having its letters ranked."""

from collections.abc import Sequence
from typing import NamedTuple

from blip_core.errors import EmptyDataset
from blip_core.records import Prediction
from blip_core.scoring.accuracy import Accuracy, wilson


class FreeGeneration(NamedTuple):
    """Shares of all answers, between 0 and 1; an invalid answer names no letter and counts as wrong."""

    accuracy: float
    invalid: float


def free_generation(predictions: Sequence[Prediction]) -> FreeGeneration:
    """Score freely written answers by the letter read from each; no letter is ever guessed.

    Raises:
        EmptyDataset: when there are no predictions.
    """
    if not predictions:
        raise EmptyDataset("There are no predictions to score: the evaluation rows are empty.")
    right = sum(prediction.generated_letter == prediction.truth for prediction in predictions)
    invalid = sum(not prediction.generated_letter for prediction in predictions)
    return FreeGeneration(right / len(predictions), invalid / len(predictions))


def invalid_rate(predictions: Sequence[Prediction]) -> Accuracy:
    """Share of freely written answers that name no letter, with its Wilson interval.

    Raises:
        EmptyDataset: when there are no predictions.
    """
    return wilson(sum(not row.generated_letter for row in predictions), len(predictions))
