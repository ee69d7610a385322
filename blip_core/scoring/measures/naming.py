"""Whether a text names what is right, whatever else it says."""

from collections.abc import Sequence

from blip_core.scoring.measures.measure import Measure, referenced
from blip_core.scoring.measures.wording import words_of


def names(text: str, references: Sequence[str]) -> float:
    """1 where the words of a right text stand in this one, side by side and in their order."""
    said = words_of(text)
    return float(any(holds(said, words_of(reference)) for reference in references))


def holds(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the words of a phrase stand among others side by side; never for no words."""
    size = len(phrase)
    return bool(size) and any(list(words[at : at + size]) == list(phrase) for at in range(len(words)))


MEASURES = (
    Measure(
        "named", "share of texts that name what is right", referenced(names), frozenset({"caption", "vqa"})
    ),
)
