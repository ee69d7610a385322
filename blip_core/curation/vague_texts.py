"""Gate: texts that say something definite."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.recipes.curation_of_texts import VagueTexts
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.naming import holds
from blip_core.scoring.measures.wording import words_of


def check_vagueness(rows: Sequence[Example], settings: VagueTexts) -> Kept:
    """Refuse rows whose text, or category, is one of the vague words or holds one.

    Reasons: `vague-text`, `vague-category`.
    """
    phrases = [(word, words_of(word)) for word in settings.words]
    classes = {" ".join(words_of(name)) for name in settings.categories}

    def judge(row: Example) -> Rejection | None:
        if " ".join(words_of(row.category)) in classes:
            return refuse(row, "vague-category", f"its category is {row.category!r}")
        said = words_of(row.target)
        found = next((word for word, phrase in phrases if holds(said, phrase)), "")
        return refuse(row, "vague-text", f"{row.target!r} says {found!r}") if found else None

    return part(rows, judge)


GATE = Gate("vague_texts", "texts and categories that say nothing definite", VagueTexts, check_vagueness)
