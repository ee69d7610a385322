"""Gate: texts without words that a recipe does not want. A row's fate depends on its own texts alone."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept
from blip_core.curation.row_texts import refuse_texts, shown
from blip_core.recipes.curation_of_texts import UnsafeWords
from blip_core.records import Example
from blip_core.scoring.measures.lemmas import lemmatised
from blip_core.scoring.measures.naming import holds
from blip_core.scoring.measures.wording import words_of


def refuse_unsafe_words(rows: Sequence[Example], settings: UnsafeWords) -> Kept:
    """Refuse rows of which a text says one of the words, in whatever number or tense.

    Reason: `unsafe-word`.
    """
    phrases = [(word, _forms(word)) for word in settings.words]
    first = {form for _, phrase in phrases for form in phrase[:1]}

    def find(text: str) -> tuple[str, str] | None:
        said = _forms(text)
        if first.isdisjoint(said):
            return None
        found = next((word for word, phrase in phrases if holds(said, phrase)), "")
        return ("unsafe-word", f"{shown(text)} says {found!r}") if found else None

    return refuse_texts(rows, find)


def _forms(text: str) -> list[str]:
    return [lemmatised(word) for word in words_of(text)]


GATE = Gate(
    "unsafe_words", "texts with words that nobody wants in the data", UnsafeWords, refuse_unsafe_words
)
