"""Questions asked again with their options rotated: right only if right wherever the answer stood."""

from collections.abc import Sequence

from blip_core.records import OPTION_LETTERS, Letter, NoLetter, Prediction
from blip_core.scoring.accuracy import Accuracy, wilson


def circular_accuracy(predictions: Sequence[Prediction]) -> Accuracy | None:
    """Share of questions that are right in all rotations (CircularEval of MMBench, arXiv 2307.06281).

    There are as many as options: with four of them, guessing reaches 0.25 ** 4. Rows that were not rotated
    are left out; None where no row was.
    """
    rotated = [row for row in predictions if row.rotations_right is not None]
    right = sum(row.rotations_right == row.offered for row in rotated)
    return wilson(right, len(rotated)) if rotated else None


def averaged_accuracy(predictions: Sequence[Prediction]) -> Accuracy | None:
    """Accuracy of the option with the highest probability averaged over rotations, of equals the first.

    Averaging cancels a liking for a letter. Rows without averages are left out; None where no row has any.
    """
    chosen = [(best_on_average(row), row.truth) for row in predictions]
    averaged = [letter == truth for letter, truth in chosen if letter is not None]
    return wilson(sum(averaged), len(averaged)) if averaged else None


def best_on_average(row: Prediction) -> Letter | NoLetter | None:
    """The letter of the highest averaged probability; None where the options were not rotated.

    Empty where no rotation was answered with a letter.
    """
    if row.means is None:
        return None
    if not any(row.means):
        return ""
    return OPTION_LETTERS[row.means.index(max(row.means))]
