"""Letters read from free text, and letters ranked by the model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from blip_core.inference.naming import named_letter
from blip_core.modeling.finite import refuse_rows
from blip_core.records import LETTERS, OPTION_LETTERS, Example, Letter, NoLetter

LANGUAGE_MODEL = "the language model"  # the part that gave logits, as an error names it


def read_letter(text: str, offered: int = len(LETTERS)) -> str:
    """Option letter that a free answer decides for, see `named_letter`; empty where it decides for none.

    "Apple" and "A dog" are no letters: an article is not an answer, and nothing is guessed.

    Args:
        text: the answer.
        offered: how many options there are; a letter beyond them is none.
    """
    named = named_letter(text, offered)
    return named.letter if named else ""


def ranked_letter(probabilities: Sequence[float]) -> Letter | NoLetter:
    """Most probable letter; empty where all are 0, as an answer that names none leaves them."""
    return best_letter(probabilities) if any(probabilities) else ""


def best_letter(probabilities: Sequence[float]) -> Letter:
    """Most probable letter; the first of equals."""
    return OPTION_LETTERS[max(range(len(probabilities)), key=lambda index: (probabilities[index], -index))]


def chances_of(scores: Tensor, asked: Sequence[Example]) -> list[list[float]]:
    """Probabilities of the options of some questions: the softmax of their scores.

    A function of the scores alone: options that change places take their probabilities with them.

    Args:
        scores: (B, letters), logarithms up to a constant a row.
        asked: B questions.

    Returns:
        As many numbers a question as it has options, but four at least: those beyond are 0. They sum to 1.

    Raises:
        NotANumber: The score of an option is none; the message names its row.
    """
    offered = [question.offered for question in asked]
    wide = scores.detach().cpu().double()
    beyond = torch.arange(wide.shape[1]) >= torch.tensor(offered)[:, None]
    refuse_rows((wide.isfinite() | beyond).all(dim=1), [question.id for question in asked], LANGUAGE_MODEL)
    chances = wide.masked_fill(beyond, float("-inf")).softmax(dim=-1).tolist()
    return [
        [*row[:count], *[0.0] * (len(LETTERS) - count)] for row, count in zip(chances, offered, strict=True)
    ]
