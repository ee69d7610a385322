"""What is right where it is told in words: an answer in free text, or a caption."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from blip_core.sources.cells import (
    MAX_DESCRIPTION_CHARACTERS,
    RowRefused,
    checked_text,
    is_absent,
    is_missing,
)
from blip_core.sources.listing import listed

PARTED = "||"
"""Between the texts of several people in one cell."""

_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
_OF_ONE_PERSON = ("answer", "caption", "text", "raw", "sentence")  # keys, where several people were asked


def read_told(value: Any, field: str, is_needed: bool) -> list[str]:
    """The texts of a cell, as often as people gave them; one of several stands in a list, or between `||`.

    Raises:
        RowRefused: `empty-text` where one is needed, or see `read_text`.
    """
    given = [checked_text(one, field, MAX_DESCRIPTION_CHARACTERS) for one in _each(value)]
    texts = [text for text in given if text and not is_missing(text)]
    if not texts and is_needed:
        raise RowRefused("empty-text", f"{field} is empty")
    return texts


def agreed(texts: Sequence[str]) -> str:
    """The text that most people gave, and the first of these; empty without any."""
    return Counter(texts).most_common(1)[0][0] if texts else ""


def is_untold(value: Any) -> bool:
    """Whether a cell holds no text."""
    return all(is_absent(one) or is_missing(str(one).strip()) for one in _each(value))


def _each(value: Any) -> Sequence[Any]:
    """The texts of a cell: itself, or those of a list, whose items may be mappings that hold one.

    A list may be written as text, as JSON or as pandas prints one; what reads as none is a text.
    """
    if isinstance(value, Mapping):
        return _each(next((value[key] for key in _OF_ONE_PERSON if key in value), None))
    if isinstance(value, list | tuple):
        return [text for one in value for text in _each(one)]
    if isinstance(value, str) and PARTED in value:
        return [part.strip() for part in value.split(PARTED)]
    if isinstance(value, str) and _LIST.fullmatch(value):
        with suppress(RowRefused):
            return [text for one in listed(value) for text in _each(one.value)]
    return [value]
