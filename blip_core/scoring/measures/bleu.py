"""BLEU of single texts, by order of n-grams, and the brevity penalty in it (Papineni et al. 2002)."""

import math
from collections.abc import Sequence
from functools import partial

from blip_core.scoring.bleu import ORDER, sentence_bleu, sentence_counter
from blip_core.scoring.measures.measure import Measure, referenced

ORDERS = (1, 2, 3, 4)
CORPUS_BLEU = "bleu-corpus"
_TEXTS = frozenset({"caption", "vqa"})


def bleu(text: str, references: Sequence[str], order: int = ORDER) -> float:
    """BLEU of one text up to an order, 0 to 1; orders that a short text cannot have are left out."""
    return sentence_bleu(text, references, order) / 100


def brevity_penalty(text: str, references: Sequence[str]) -> float:
    """What a text loses for being shorter than the reference of nearest length, 0 to 1; 1 loses nothing."""
    score = sentence_counter(1).sentence_score(text, list(references))
    if not score.sys_len:
        return 0.0
    return min(1.0, math.exp(1 - score.ref_len / score.sys_len))


def ngram_precision(text: str, references: Sequence[str], order: int) -> float | None:
    """Share of a text's n-grams that a reference has, each as often as there; None of too short a text."""
    score = sentence_counter(ORDER).sentence_score(text, list(references))
    total = score.totals[order - 1]
    return score.counts[order - 1] / total if total else None


MEASURES = (
    *(
        Measure(f"bleu-{order}", f"BLEU-{order}", referenced(partial(bleu, order=order)), _TEXTS)
        for order in ORDERS
    ),
    Measure(
        CORPUS_BLEU,
        "BLEU-4 of all texts as one corpus, which no single row has a value of",
        lambda answers: [None for _ in answers],
        _TEXTS,
    ),
    *(
        Measure(
            f"precision-{order}",
            f"{order}-gram precision",
            referenced(partial(ngram_precision, order=order)),
            _TEXTS,
        )
        for order in ORDERS
    ),
    Measure("brevity-penalty", "brevity penalty", referenced(brevity_penalty), _TEXTS, "neither"),
)
