"""Whether a text names what is right, whatever else it says."""

from collections.abc import Iterable, Sequence

from blip_core.scoring.measures.lemmas import lemmatised
from blip_core.scoring.measures.measure import Measure, referenced
from blip_core.scoring.measures.wording import words_of


def listed(value: str) -> tuple[str, ...]:
    """The words of an attribute, which are parted by commas where a row has several."""
    return tuple(word for part in value.split(",") if (word := part.strip()))


def told(text: str, among: Iterable[str]) -> set[str]:
    """Which of some words a text says, in whatever number: "two buses" says bus, "blue sky" not sky blue."""
    said = words_of(text)
    return {word for word in among if _says(said, words_of(word))}


def foreign(said: Iterable[str], own: Iterable[str]) -> list[str]:
    """The words that a text says and that are not its row's, nor part of one: blue is part of light blue."""
    right = [words_of(word) for word in own]
    return [word for word in said if not any(_says(one, words_of(word)) for one in right)]


def _says(words: Sequence[str], phrase: Sequence[str]) -> bool:
    size = len(phrase)
    starts = range(len(words) - size + 1) if size else ()
    return any(all(map(_is_form, words[at : at + size], phrase)) for at in starts)


def _is_form(said: str, word: str) -> bool:
    """Whether one word is the other, or its plural; the lexicon lacks some plurals, such as burgers."""
    return said in (word, f"{word}s") or lemmatised(said) == lemmatised(word)


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
