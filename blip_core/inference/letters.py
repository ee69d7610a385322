"""Letters read from free text, and letters ranked by the model."""

import re
from collections.abc import Sequence

from torch import Tensor

from blip_core.records import LETTERS, Letter, NoLetter

# A letter alone, or one set off as options are: "B", "(B)", "B.", "B) the park", "B: the park".
_LETTER = re.compile(r"\(?([A-D])(?:$|[.):])")


def read_letter(text: str) -> str:
    """Option letter that a free answer opens with; empty where it opens with anything else.

    "Apple" and "A dog" are no letters: an article is not an answer, and nothing is guessed.
    """
    match = _LETTER.match(text.strip())
    return match.group(1) if match else ""


def ranked_letter(probabilities: Sequence[float]) -> Letter | NoLetter:
    """Most probable letter; empty where all are 0, as an answer that names none leaves them."""
    return best_letter(probabilities) if any(probabilities) else ""


def best_letter(probabilities: Sequence[float]) -> Letter:
    """Most probable letter; the first of equals."""
    return LETTERS[max(range(len(LETTERS)), key=lambda index: (probabilities[index], -index))]


def chances_of(scores: Tensor, offered: Sequence[int]) -> list[list[float]]:
    """Probabilities of the options of some questions: the softmax of their scores.

    A function of the scores alone: options that change places take their probabilities with them.

    Args:
        scores: (B, 4), logarithms up to a constant a row.
        offered: how many of the four each question has; the others get 0.

    Returns:
        Four numbers a question; they sum to 1.
    """
    wide = scores.detach().cpu().double()
    for row, count in enumerate(offered):
        wide[row, count:] = float("-inf")
    chances: list[list[float]] = wide.softmax(dim=-1).tolist()
    return chances
