"""Gate: texts in the languages that are asked for.

Languages are told by py3langid, a naive Bayes classifier over byte sequences (Lui and Baldwin 2012) whose
model comes with it. A row's fate depends on its own texts alone.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from blip_core.curation.extras import library
from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.row_texts import prose, shown
from blip_core.errors import RecipeError
from blip_core.recipes.curation_of_texts import Language
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.wording import words_of

_KEPT = 10_000  # texts: questions come again
_MODEL = "data/model.npz.xz"  # beside the library's code


def refuse_other_languages(rows: Sequence[Example], settings: Language) -> Kept:
    """Refuse rows whose question or description is surely in another language.

    Reason: `other-language`.

    Raises:
        RecipeError: The library is not installed, or knows no such language.
    """
    identifier = _identifier()
    unknown = set(settings.languages) - set(identifier.nb_classes)
    if unknown:
        raise RecipeError(
            f"curation.language.languages names {', '.join(sorted(unknown))}, which py3langid cannot tell; "
            f"it knows {', '.join(sorted(set(identifier.nb_classes)))}"
        )

    def judge(row: Example) -> Rejection | None:
        foreign = ((text, other) for text in prose(row) if (other := _other_language(text, settings)))
        text, other = next(foreign, ("", ""))
        if not other:
            return None
        expected = " or ".join(settings.languages)
        return refuse(row, "other-language", f"{other} rather than {expected}: {shown(text)}")

    return part(rows, judge)


@lru_cache(maxsize=_KEPT)
def _other_language(text: str, settings: Language) -> str:
    """The language of a text that is surely in none of those asked for; empty for any other text."""
    if not _is_long_enough(text, settings.min_words):
        return ""
    ranked = _identifier().rank(text)
    elsewhere = 1 - sum(float(share) for name, share in ranked if name in settings.languages)
    likeliest: str = ranked[0][0]
    is_elsewhere = likeliest not in settings.languages and elsewhere >= settings.min_certainty
    return likeliest if is_elsewhere else ""


def _is_long_enough(text: str, min_words: int) -> bool:
    """Words are counted by their spaces, or by characters where a script parts none."""
    return len(words_of(text)) >= min_words or sum(not char.isascii() for char in text) >= min_words


@cache
def _identifier() -> Any:
    langid = library("py3langid.langid", "py3langid", "language")
    return langid.LanguageIdentifier.from_model_file(_MODEL, norm_probs=True)


GATE = Gate("language", "texts in other languages", Language, refuse_other_languages)
