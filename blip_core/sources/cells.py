"""What stands in a table's cells: texts that can be put before a model."""

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

MAX_ID_CHARACTERS = 200
MAX_QUESTION_CHARACTERS = 2_000
MAX_OPTION_CHARACTERS = 500
MAX_DESCRIPTION_CHARACTERS = 4_000
MAX_CONTEXT_CHARACTERS = 4_000
MAX_NAME_CHARACTERS = 1_000  # of a picture file
_SHOWN_CHARACTERS = 60

_MISSING = frozenset(("nan", "NaN", "<NA>", "NaT"))
_PLAIN_VALUES = (str, bool, int, float, Decimal, date, datetime, time)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_RESERVED = re.compile(
    r"</?(?:s|pad|unk|mask|image|video|bos|eos|cls|sep|extra_id_\d+)>|<\|[^<>|]{1,64}\|>", re.IGNORECASE
)
"""Tokens that steer the models this library loads: in a prompt they would end it, or stand for a picture."""


class RowRefused(Exception):
    """Why one row cannot be used: a stable slug, and what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def shown(text: str) -> str:
    """A stranger's text in a message: short, on one line, nothing in it that a terminal obeys."""
    return repr(text) if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]!r}..."


def read_text(row: Mapping[str, Any], column: str, field: str, most: int) -> str:
    """The text of a cell, without spaces at its ends; empty where there is no column or no value.

    Markup and instructions stay as they are: prompts are filled in with them, never formatted by them.

    Raises:
        RowRefused: `not-a-text`, `not-a-number`, `too-long-text`, `not-utf-8`, `control-character`,
            `reserved-token`.
    """
    return checked_text(row.get(column) if column else None, field, most)


def checked_text(value: Any, field: str, most: int) -> str:
    """The text of a value, without spaces at its ends; empty where there is none.

    Raises:
        RowRefused: See `read_text`.
    """
    text = as_text(value, field)
    if len(text) > most:
        raise RowRefused("too-long-text", f"{field} has {len(text):,} characters, at most {most:,}")
    if not _is_unicode(text):
        raise RowRefused("not-utf-8", f"{field} is no UTF-8: {shown(text)}")
    if _CONTROL.search(text):
        raise RowRefused("control-character", f"{field} holds a control character: {shown(text)}")
    token = _RESERVED.search(unicodedata.normalize("NFKC", text))
    if token:
        raise RowRefused("reserved-token", f"{field} holds {shown(token[0])}, which steers models")
    return text


def require_text(row: Mapping[str, Any], column: str, field: str, most: int) -> str:
    """The text of a cell that must hold one.

    Raises:
        RowRefused: `empty-text`, or see `read_text`.
    """
    text = read_text(row, column, field, most)
    if not text:
        raise RowRefused("empty-text", f"{field} is empty")
    return text


def is_absent(value: Any) -> bool:
    """Whether a value says nothing: none, not a number, or spaces alone."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_text(value: Any, field: str) -> str:
    """A plain value as a text, without spaces at its ends; empty where it is absent.

    Raises:
        RowRefused: `not-a-text`, or `not-a-number` for an infinite one.
    """
    if is_absent(value):
        return ""
    if isinstance(value, float) and math.isinf(value):
        raise RowRefused("not-a-number", f"{field} is {value}: a number that was too large, or a fault in it")
    if not isinstance(value, _PLAIN_VALUES):
        raise RowRefused("not-a-text", f"{field} holds a {type(value).__name__}, not a text")
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"  # a column of whole numbers with gaps comes as decimals
    return str(value).strip()


def is_missing(text: str) -> bool:
    """Whether a text is what pandas makes of a missing value where it turns a column into texts."""
    return text in _MISSING


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: undecodable bytes, or half a character from JSON
        return False
    return True
