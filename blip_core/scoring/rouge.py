"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), as the library rouge-score counts them, without stemming."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.scoring import Score

_WORD = re.compile(r"[^\W_]+")
_TYPES = ("rouge1", "rouge2", "rougeL")


class Rouge(NamedTuple):
    """F-measures, 0 to 1: shared words, shared pairs of words, longest common subsequence."""

    rouge_1: float
    rouge_2: float
    rouge_l: float


class _Words:
    """Lower-case words of letters and digits; of English text what the library itself would find.

    The library's own words are ASCII alone: of Cyrillic text it finds none, and scores 0.
    """

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


OverlapScores = Mapping[str, "Score"]
"""Precision, recall and F-measure, 0 to 1, of `rouge1`, `rouge2` and `rougeL`."""


def rouge(text: str, references: Sequence[str]) -> Rouge:
    """Score a text against the reference that suits it best, for each measure by itself.

    Raises:
        ValueError: when there is no reference.
    """
    scores = overlap(text, references)
    return Rouge(*(float(scores[name].fmeasure) for name in _TYPES))


def overlap(text: str, references: Sequence[str]) -> OverlapScores:
    """All that is counted of a text and the reference that suits it best, for each measure by itself.

    Raises:
        ValueError: when there is no reference.
    """
    if not references:
        raise ValueError("a text can be scored against one reference at least; got none")
    scores: OverlapScores = _scorer().score_multi(list(references), text)
    return scores


@cache
def _scorer() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(_TYPES), tokenizer=_Words())
