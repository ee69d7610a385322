"""Questions asked again with their options rotated: right only if right wherever the answer stood."""

from collections.abc import Sequence

from blip_core.records import LETTERS, Letter, NoLetter, Prediction
from blip_core.scoring.accuracy import Accuracy, wilson

ROTATIONS = len(LETTERS)


def circular_accuracy(predictions: Sequence[Prediction]) -> Accuracy | None:
    """Share of questions that are right in all four rotations (CircularEval of MMBench, arXiv 2307.06281).

    Guessing reaches 0.25 ** 4. Rows that were not rotated are left out; None where no row was.
    """
    rotated = [row.rotations_right for row in predictions if row.rotations_right is not None]
    return wilson(sum(right == ROTATIONS for right in rotated), len(rotated)) if rotated else None


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
    means = {letter: getattr(row, f"mean_{letter.lower()}") for letter in LETTERS}
    if None in means.values():
        return None
    if not any(means.values()):
        return ""
    return max(LETTERS, key=lambda letter: means[letter])
