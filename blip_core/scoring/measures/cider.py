"""CIDEr-D: agreement in n-grams that few pictures share (Vedantam et al. 2015, arXiv 1411.5726)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from blip_core.scoring.measures.measure import Answer, Measure
from blip_core.scoring.measures.wording import words_of

ORDERS = 4
SIGMA_WORDS = 6.0  # how far lengths may differ before a text is doubted; section 5 of the paper
SCALE = 10.0  # of CIDEr-D as everybody prints it

Gram = tuple[str, ...]
Grams = Counter[Gram]


def cider(answers: Sequence[Answer]) -> list[float | None]:
    """CIDEr-D of each text, 0 to 10; how rare an n-gram is, is counted over the references of all rows."""
    rows = [answer for answer in answers if answer.references]
    found = [[_grams(reference) for reference in answer.references] for answer in rows]
    rarity = _rarity(found)
    scored = iter(
        [_score(_grams(answer.text), kept, rarity) for answer, kept in zip(rows, found, strict=True)]
    )
    return [next(scored) if answer.references else None for answer in answers]


def _grams(text: str) -> Grams:
    words = words_of(text)
    runs = (zip(*(words[start:] for start in range(order)), strict=False) for order in range(1, ORDERS + 1))
    return Counter(gram for run in runs for gram in run)


def _rarity(rows: Sequence[Sequence[Grams]]) -> Mapping[Gram, float]:
    """log(rows / rows whose references hold the n-gram); an unknown one is as rare as can be."""
    held = Counter(gram for references in rows for gram in set().union(*references))
    total = math.log(max(len(rows), 1))
    return _Rarity({gram: total - math.log(count) for gram, count in held.items()}, total)


class _Rarity(dict[Gram, float]):
    """Weights of n-grams; one that no reference holds weighs as one that a single row holds."""

    def __init__(self, known: Mapping[Gram, float], unknown: float) -> None:
        super().__init__(known)
        self._unknown = unknown

    def __missing__(self, gram: Gram) -> float:
        return self._unknown


def _score(text: Grams, references: Sequence[Grams], rarity: Mapping[Gram, float]) -> float:
    return SCALE * sum(_alike(text, reference, rarity) for reference in references) / len(references)


def _alike(text: Grams, reference: Grams, rarity: Mapping[Gram, float]) -> float:
    """Mean over orders of the clipped cosine, less for a text of another length."""
    cosines = [_cosine(_of(text, order), _of(reference, order), rarity) for order in range(1, ORDERS + 1)]
    longer = _length(text) - _length(reference)
    return sum(cosines) / ORDERS * math.exp(-(longer**2) / (2 * SIGMA_WORDS**2))


def _of(grams: Grams, order: int) -> Grams:
    return Counter({gram: count for gram, count in grams.items() if len(gram) == order})


def _length(grams: Grams) -> int:
    """In pairs of words, as the published scorer counts it."""
    return sum(_of(grams, 2).values())


def _cosine(text: Grams, reference: Grams, rarity: Mapping[Gram, float]) -> float:
    norm = _norm(text, rarity) * _norm(reference, rarity)
    if not norm:
        return 0.0
    shared = (min(text[gram], reference[gram]) * reference[gram] * rarity[gram] ** 2 for gram in text)
    return sum(shared) / norm


def _norm(grams: Grams, rarity: Mapping[Gram, float]) -> float:
    return math.sqrt(sum((count * rarity[gram]) ** 2 for gram, count in grams.items()))


MEASURES = (Measure("cider", "CIDEr-D", cider, frozenset({"caption"}), span=SCALE),)
