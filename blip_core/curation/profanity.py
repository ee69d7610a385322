"""Gate: texts without profanity, by the word lists of glin-profanity.

It sees through letters in the place of others ("sh1t") and through letters that look alike, and takes whole
words only, so that Scunthorpe may be shown. A row's fate depends on its own texts alone.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from blip_core.curation.extras import library
from blip_core.curation.gate import Gate, Kept
from blip_core.curation.row_texts import refuse_texts
from blip_core.errors import RecipeError
from blip_core.recipes.curation_of_texts import Profanity
from blip_core.records import Example

_KEPT = 100_000  # verdicts: options come again


def refuse_profanity(rows: Sequence[Example], settings: Profanity) -> Kept:
    """Refuse rows of which a text says a word of the lists.

    Reason: `profanity`; which word it is the detail tells by its first letter.

    Raises:
        RecipeError: The library is not installed, or has no such list.
    """
    words = _filter(settings)

    @lru_cache(maxsize=_KEPT)
    def find(text: str) -> tuple[str, str] | None:
        found = words.check_profanity(text)["profane_words"]
        return (
            ("profanity", f"it says {', '.join(sorted({_veiled(word) for word in found}))}")
            if found
            else None
        )

    return refuse_texts(rows, find)


def _filter(settings: Profanity) -> Any:
    module = library("glin_profanity", "glin-profanity", "profanity")
    config = {"languages": list(settings.languages), "ignore_words": list(settings.allowed_words)}
    try:
        words = module.Filter(config)
    except (KeyError, ValueError, FileNotFoundError) as error:
        raise RecipeError(f"curation.profanity.languages: {error}") from error
    if not words.get_word_count():
        raise RecipeError(
            f"curation.profanity.languages names {', '.join(settings.languages)}, of which glin-profanity "
            "has no words; it calls languages by their English names, such as english or german"
        )
    return words


def _veiled(word: str) -> str:
    return f"{word[:1]}{'*' * (len(word) - 1)}"


GATE = Gate("profanity", "texts with profanity", Profanity, refuse_profanity)
