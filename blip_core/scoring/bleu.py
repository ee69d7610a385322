"""BLEU (Papineni et al. 2002), as sacrebleu counts it (Post 2018, arXiv 1804.08771)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from blip_core.errors import EmptyDataset

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

ORDER = 4  # of n-grams, as in the paper


@dataclass(frozen=True, slots=True)
class Bleu:
    """Corpus BLEU, 0 to 100 as everybody prints it, and the signature that says how it was counted."""

    value: float
    signature: str


def corpus_bleu(texts: Sequence[str], references: Sequence[Sequence[str]]) -> Bleu:
    """Score all texts as one corpus: no mean of rows, n-grams are counted over all of them.

    Args:
        texts: what a model wrote.
        references: one or more right texts for each, in the same order; as many as there are.

    Raises:
        EmptyDataset: when there are no texts.
    """
    from sacrebleu.metrics.bleu import BLEU

    if not texts:
        raise EmptyDataset("There are no texts to score.")
    metric = BLEU()
    streams = [list(stream) for stream in zip_longest(*references)]  # sacrebleu passes over None
    value = float(metric.corpus_score(list(texts), streams).score)
    return Bleu(value, str(metric.get_signature()))


def sentence_bleu(text: str, references: Sequence[str], order: int = ORDER) -> float:
    """Score one text, 0 to 100; orders of n-grams that a short text cannot have are left out."""
    return float(sentence_counter(order).sentence_score(text, list(references)).score)


@cache
def sentence_counter(order: int) -> "BLEU":
    """What counts the n-grams of single texts, up to an order."""
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(max_ngram_order=order, effective_order=True)
