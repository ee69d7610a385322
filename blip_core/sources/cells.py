"""What stands in a table's cells: texts that can be put before a model, and the letter of an answer."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from blip_core.records import LETTERS, OPTION_LETTERS, Letter

MAX_ID_CHARACTERS = 200
MAX_QUESTION_CHARACTERS = 2_000
MAX_OPTION_CHARACTERS = 500
MAX_DESCRIPTION_CHARACTERS = 4_000
MAX_NAME_CHARACTERS = 1_000  # of a picture file
MIN_OPTIONS = 2
_SHOWN_CHARACTERS = 60

_PLAIN_VALUES = (str, bool, int, float, Decimal, date, datetime, time)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_RESERVED = re.compile(
    r"</?(?:s|pad|unk|mask|image|video|bos|eos|cls|sep|extra_id_\d+)>|<\|[^<>|]{1,64}\|>", re.IGNORECASE
)
"""Tokens that steer the models this library loads: in a prompt they would end it, or stand for a picture."""
_AROUND_A_LETTER = " \t\n\r().:[]"


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
        RowRefused: `not-a-text`, `too-long-text`, `not-utf-8`, `control-character`, `reserved-token`.
    """
    text = _as_text(row.get(column) if column else None, field)
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


def _as_text(value: Any, field: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if not isinstance(value, _PLAIN_VALUES):
        raise RowRefused("not-a-text", f"{field} holds a {type(value).__name__}, not a text")
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"  # a column of whole numbers with gaps comes as decimals
    return str(value).strip()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: undecodable bytes, or half a character from JSON
        return False
    return True


def read_options(row: Mapping[str, Any], columns: Sequence[str], eleventh: str = "") -> tuple[str, ...]:
    """Two to ten options, all different; four places at least, "" in those of options that there are not.

    Args:
        row: of the table.
        columns: of the options from A on, "" for one that there is not; four at least.
        eleventh: column of an option beyond J.

    Raises:
        RowRefused: `empty-text`, `repeated-options`, `too-many-options`, or see `read_text`.
    """
    if read_text(row, eleventh, "option K", MAX_OPTION_CHARACTERS):
        most = f"at most {len(OPTION_LETTERS)}, {OPTION_LETTERS[0]} to {OPTION_LETTERS[-1]}, are asked"
        raise RowRefused("too-many-options", f"{shown(eleventh)} holds an eleventh option; {most}")
    options = [
        read_text(row, column, f"option {letter}", MAX_OPTION_CHARACTERS)
        for letter, column in zip(OPTION_LETTERS, columns, strict=False)
    ]
    used = max((place for place, option in enumerate(options, start=1) if option), default=0)
    needed = options[: max(used, MIN_OPTIONS)]
    empty = [letter for letter, option in zip(OPTION_LETTERS, needed, strict=False) if not option]
    if empty:
        raise RowRefused("empty-text", f"option {', '.join(empty)} is empty")
    if len({_alike(option) for option in needed}) < len(needed):
        raise RowRefused("repeated-options", f"options repeat: {' | '.join(map(shown, needed))}")
    return tuple(options[: max(used, len(LETTERS))])


def count_options(row: Mapping[str, Any], columns: Sequence[str]) -> int:
    """How many options a row has, whether or not it can be used."""
    return sum(bool(_text_or_none(row.get(column))) for column in columns if column)


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How a table writes its answers; told from all of them, since one alone may be read in two ways.

    Attributes:
        only_letters: whether every answer is a letter, so that an option that reads "B" confuses nothing.
        first_number: number of option A where all answers are numbers; None where that cannot be told.
        most: options that a row of the table has; four at least.
    """

    only_letters: bool
    first_number: int | None
    most: int = len(LETTERS)

    @classmethod
    def of(cls, answers: Iterable[Any], most: int = len(LETTERS)) -> "AnswerForm":
        """The form of a table's answers; absent ones count for nothing.

        Numbers say where they start by a 0 that `most` does not stand beside, or by `most` without a 0.
        """
        texts = {text for answer in answers if (text := _text_or_none(answer))}
        if texts and all(_as_letter(text, most) for text in texts):
            return cls(only_letters=True, first_number=None, most=most)
        if not texts <= _numbers(most) or ("0" in texts) == (str(most) in texts):
            return cls(only_letters=False, first_number=None, most=most)
        return cls(only_letters=False, first_number=0 if "0" in texts else 1, most=most)

    def letter(self, answer: str, options: Sequence[str]) -> Letter:
        """The letter that an answer means: written as such, as a number, or as an option's text.

        Raises:
            RowRefused: It means none (`answer-not-an-option`), or more than one (`ambiguous-answer`).
        """
        offered = [letter for letter, option in zip(OPTION_LETTERS, options, strict=False) if option]
        written = _as_letter(answer, self.most)
        if written in offered and self.only_letters:
            return written
        told = {_alike(option): letter for letter, option in zip(OPTION_LETTERS, options, strict=False)}
        meant = {written, self._numbered(answer), told.get(_alike(answer))} & set(offered)
        if len(meant) == 1:
            return next(letter for letter in OPTION_LETTERS if letter in meant)
        if meant:
            several = " or ".join(letter for letter in OPTION_LETTERS if letter in meant)
            raise RowRefused(
                "ambiguous-answer", f"answer {shown(answer)} could mean {several}; write letters"
            )
        if answer in _numbers(self.most):
            raise RowRefused(
                "ambiguous-answer",
                f"answer {shown(answer)} is a number, and nothing tells what number A is",
            )
        raise RowRefused(
            "answer-not-an-option",
            f"answer {shown(answer)} is neither a letter A to {offered[-1]} nor an option's text",
        )

    def _numbered(self, answer: str) -> Letter | None:
        if self.first_number is None or answer not in _numbers(self.most):
            return None
        place = int(answer) - self.first_number
        return OPTION_LETTERS[place] if 0 <= place < self.most else None


def _text_or_none(value: Any) -> str | None:
    try:
        return _as_text(value, "") or None
    except RowRefused:  # its row will be refused for it
        return None


def _numbers(most: int) -> set[str]:
    """What options may be numbered by, from 0 or from 1."""
    return {str(number) for number in range(most + 1)}


def _as_letter(text: str, most: int) -> Letter | None:
    bare = text.strip(_AROUND_A_LETTER).upper()
    return next((letter for letter in OPTION_LETTERS[:most] if letter == bare), None)


def _alike(text: str) -> str:
    """A text without what does not tell options apart: case and the width of spaces."""
    return " ".join(text.casefold().split())
