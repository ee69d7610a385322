"""Whether a free answer is right, or how near it comes."""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from blip_core.scoring.measures.lemmas import lemmatised
from blip_core.scoring.measures.measure import Measure, referenced
from blip_core.scoring.measures.vqa_text import normalised_answer

AGREEING = 3  # people who must have given an answer for it to count in full (Antol et al. 2015)
NEAR_ENOUGH = 0.5  # similarity below which ANLS gives nothing (Biten et al. 2019, arXiv 1905.13648)

_FREE = frozenset({"vqa"})


def exact(text: str, references: Sequence[str]) -> float:
    """1 where the text is one of the right ones, spaces at the ends aside."""
    return float(text.strip() in {reference.strip() for reference in references})


def vqa_accuracy(text: str, references: Sequence[str]) -> float:
    """Agreement with people, 0 to 1: a third for each who gave that answer, averaged over leaving one out.

    The published formula wants ten answers. Of fewer, as many agree in full as are left; of a single one the
    text has to be the same after normalisation.
    """
    said = normalised_answer(text)
    people = [normalised_answer(reference) for reference in references]
    if len(people) == 1:
        return float(said == people[0])
    needed = min(AGREEING, len(people) - 1)
    agreeing = sum(other == said for other in people)
    others = [agreeing - (one == said) for one in people]  # of those left when one is left out
    return sum(min(1.0, count / needed) for count in others) / len(people)


def vqa_accuracy_of_lemmas(text: str, references: Sequence[str]) -> float:
    """VQA accuracy of the dictionary forms of a text's words, as LAVIS judges OK-VQA."""
    return vqa_accuracy(lemmatised(text), references)


def gqa_accuracy(text: str, references: Sequence[str]) -> float:
    """1 where the normalised text is the right one as it stands, as LAVIS judges GQA."""
    return float(normalised_answer(text) in references)


def anls(text: str, references: Sequence[str]) -> float:
    """Normalised Levenshtein similarity, 0 to 1, to the nearest right text (arXiv 1905.13648, eq. 1)."""
    said = _plain(text)
    nearest = max(Levenshtein.normalized_similarity(said, _plain(reference)) for reference in references)
    return float(nearest) if nearest >= NEAR_ENOUGH else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


MEASURES = (
    Measure("exact-answer", "share of answers that are the right text", referenced(exact), _FREE),
    Measure("vqa-accuracy", "VQA accuracy", referenced(vqa_accuracy), _FREE),
    Measure(
        "vqa-accuracy-lemmas", "VQA accuracy of dictionary forms", referenced(vqa_accuracy_of_lemmas), _FREE
    ),
    Measure("gqa-accuracy", "GQA accuracy", referenced(gqa_accuracy), _FREE),
    Measure("anls", "ANLS", referenced(anls), _FREE),
)
