"""The options of a row: from a column each, or from one column that holds them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blip_core.records import LETTERS, OPTION_LETTERS
from blip_core.sources.cells import (
    MAX_OPTION_CHARACTERS,
    RowRefused,
    checked_text,
    is_missing,
    read_text,
    shown,
)
from blip_core.sources.columns import Columns
from blip_core.sources.listing import label_of, listed
from blip_core.texts import is_repeated

MIN_OPTIONS = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What can be answered.

    Attributes:
        texts: two to ten, all different; four places at least, "" in those of options that there are not.
        labels: what the row itself calls them, where it does: keys of a mapping, or "A." before each text.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def offered(self) -> int:
        """How many options there are."""
        return sum(map(bool, self.texts))


def read_options(row: Mapping[str, Any], columns: Columns) -> Options:
    """The options of a row.

    Where every option bears its own letter or number ("A. a dog", "B. a boat"), each once and none left out,
    that is its label and no part of its text: a prompt writes the letters of the places that it asks for.

    Raises:
        RowRefused: `empty-text`, `repeated-options`, `too-few-options`, `too-many-options`,
            `unreadable-options`, or see `read_text`.
    """
    labels, texts = _in_one_column(row, columns) if columns.options else ((), _in_columns(row, columns))
    used = _count_used(texts)
    texts, labels = texts[:used], labels[:used]
    if used > len(OPTION_LETTERS):
        raise _too_many(f"there are {used} options")
    empty = [letter for letter, text in zip(OPTION_LETTERS, texts, strict=False) if not text]
    missing = OPTION_LETTERS[used:MIN_OPTIONS]
    if empty or missing:
        raise RowRefused("empty-text", f"option {', '.join([*empty, *missing])} is empty")
    own, bare = _labelled(texts)
    texts, labels = (bare, labels or own) if own else (texts, labels)
    if is_repeated(texts):
        raise RowRefused("repeated-options", f"options repeat: {' | '.join(map(shown, texts))}")
    return Options((*texts, *[""] * (len(LETTERS) - used)), tuple(labels))


def _count_used(texts: Sequence[str]) -> int:
    """Places up to the last option; a missing value that became a text is none, unless beside a number."""
    has_numbers = any(text.strip("+-").replace(".", "", 1).isdigit() for text in texts)
    written = [bool(text) and (has_numbers or not is_missing(text)) for text in texts]
    return max((place for place, holds in enumerate(written, start=1) if holds), default=0)


def _in_columns(row: Mapping[str, Any], columns: Columns) -> Sequence[str]:
    if read_text(row, columns.k, "option K", MAX_OPTION_CHARACTERS):
        raise _too_many(f"{shown(columns.k)} holds an eleventh option")
    return [
        read_text(row, column, f"option {letter}", MAX_OPTION_CHARACTERS)
        for letter, column in zip(OPTION_LETTERS, columns.places, strict=False)
    ]


def _in_one_column(row: Mapping[str, Any], columns: Columns) -> tuple[Sequence[str], Sequence[str]]:
    found = listed(row.get(columns.options))
    texts = [
        checked_text(one.value, f"option {number}", MAX_OPTION_CHARACTERS)
        for number, one in enumerate(found, start=1)
    ]
    labels = [one.label for one in found]
    return (labels if any(labels) else ()), texts


def _labelled(texts: Sequence[str]) -> tuple[tuple[str, ...], Sequence[str]]:
    """Labels that all the texts begin with, and what is left; none where they are not one whole series."""
    parts = [label_of(text) for text in texts]
    labels = tuple(label for label, _ in parts)
    numbers = [str(number) for number in range(len(texts) + 1)]
    series = (OPTION_LETTERS[: len(texts)], numbers[:-1], numbers[1:])
    if not any(set(labels) == set(one) for one in series):
        return (), texts
    return labels, [rest for _, rest in parts]


def _too_many(what: str) -> RowRefused:
    most = f"at most {len(OPTION_LETTERS)}, {OPTION_LETTERS[0]} to {OPTION_LETTERS[-1]}, are asked"
    return RowRefused("too-many-options", f"{what}; {most}")
