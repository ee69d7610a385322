"""Accuracy by kind of question, by category and by letter."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blip_core.records import LETTERS, OPTION_LETTERS, Letter, Prediction
from blip_core.scoring.accuracy import Accuracy, accuracy


@dataclass(frozen=True, slots=True)
class LetterScore:
    """How one letter fares: how often it was chosen, how often it was right, and the share of the latter
    found.

    `recall` is None for a letter that is never right.
    """

    chosen: int
    right: int
    recall: float | None


def by_kind(predictions: Sequence[Prediction]) -> dict[str, Accuracy]:
    """Accuracy by kind of question, kinds in alphabetical order; rows of no kind are left out."""
    return _grouped([row for row in predictions if row.kind], lambda row: row.kind)


def by_category(predictions: Sequence[Prediction]) -> dict[str, Accuracy]:
    """Accuracy by category, in alphabetical order; rows of no category are left out."""
    return _grouped([row for row in predictions if row.category], lambda row: row.category)


def per_letter(predictions: Sequence[Prediction]) -> dict[Letter, LetterScore]:
    """Choices and recall of each letter: a model that favours one shows here."""
    return {letter: _letter_score(letter, predictions) for letter in letters_of(predictions)}


def letters_of(predictions: Sequence[Prediction]) -> tuple[Letter, ...]:
    """The letters that some questions have: A to D at least."""
    return OPTION_LETTERS[: max((row.offered for row in predictions if row.p_more), default=len(LETTERS))]


def _grouped(predictions: Sequence[Prediction], name: Callable[[Prediction], str]) -> dict[str, Accuracy]:
    groups: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        groups[name(prediction)].append(prediction)
    return {group: accuracy(groups[group]) for group in sorted(groups)}


def _letter_score(letter: Letter, predictions: Sequence[Prediction]) -> LetterScore:
    chosen = sum(row.ranked == letter for row in predictions)
    right = [row for row in predictions if row.truth == letter]
    found = sum(row.is_right for row in right)
    return LetterScore(chosen, len(right), found / len(right) if right else None)
