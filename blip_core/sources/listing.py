"""Several values in one cell, as tables hold the options of a question, and what each is called there.

A list or a mapping comes as such from Parquet, Arrow and JSONL, and as text from CSV: as JSON, or as Python,
pandas or numpy print one. A text in which it is not certain where an option ends is none of these.
"""

import ast
import json
import re
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from blip_core.records import OPTION_LETTERS
from blip_core.sources.cells import MAX_OPTION_CHARACTERS, RowRefused, is_absent, shown
from blip_core.texts import without_width

UNREADABLE_OPTIONS = "unreadable-options"

_MAX_CHARACTERS = 4 * len(OPTION_LETTERS) * MAX_OPTION_CHARACTERS  # of a cell: escapes may take the rest
_LABEL_CHARACTERS = 12  # that a label takes at most, in which full-width characters are one each
_TEXTS = ("text", "texts", "value", "values", "content", "choices", "options")
_LABELS = ("label", "labels", "key", "keys", "letter", "letters", "id")
_ARRAY = re.compile(r"array\((.*?)(?:,\s*dtype=[^()]*)?\)", re.DOTALL)  # as pandas prints a cell of numpy's
_STRING = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_SPACED = re.compile(rf"\[\s*{_STRING}(?:\s+{_STRING})*\s*\]", re.DOTALL)  # as numpy prints texts
_STRINGS = re.compile(_STRING, re.DOTALL)
_GAPS = re.compile(rf"{_STRING}|\bnan\b", re.DOTALL)
_KEY = re.compile(r"(?:option|choice|opt|answer|candidate)?[\s_-]*(?:([a-z])|(\d{1,2}))", re.IGNORECASE)
_MARKS = re.compile(r"(?<!\S)\(?[A-Z]\)")
_MARK = r"[A-Za-z]|\d{1,2}"
_LABELLED = re.compile(
    rf"(?:[(\[]\s*({_MARK})\s*[)\]]\s*|({_MARK})\s*(?:[)、]\s*|\.\s+)|([A-Za-z]):\s+|([①-⑳Ⓐ-ⓩ])\s*)(?=\S)"
)


class Listed(NamedTuple):
    """A value of a list, and what the list itself calls it; "" where it says nothing."""

    label: str
    value: Any


def listed(cell: Any) -> list[Listed]:
    """The values of a cell, in the order of their labels where it bears some, and gaps among them as None.

    Raises:
        RowRefused: `unreadable-options`: it holds no list.
    """
    if is_absent(cell):
        return []
    value = _parsed(cell.strip()) if isinstance(cell, str) else cell
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _of_items(list(value))
    raise _unreadable(cell)


def label_of(text: str) -> tuple[str, str]:
    """The label that a text begins with, and the rest: "(B) a boat" is B and "a boat".

    Labels are a letter, a number or a circled one, each set off as lists do; without one, "" and the text.
    """
    found = _LABELLED.match(without_width(text[:_LABEL_CHARACTERS]))
    if found is None:
        return "", text
    label = unicodedata.normalize("NFKC", next(filter(None, found.groups())))
    return label.upper(), text[found.end() :].strip()


def _parsed(text: str) -> Any:
    """What a text says as JSON, as Python or numpy print it, or as lines of which each bears its letter."""
    if len(text) > _MAX_CHARACTERS:
        raise RowRefused("too-long-text", f"options have {len(text):,} characters in one cell")
    array = _ARRAY.fullmatch(text)
    text = array[1] if array else text
    if text.startswith(("[", "{", "(")):
        for read in (_json, _spaced, _literal):
            value = read(text)
            if value is not None:
                return value
    lines = _lettered(text.splitlines()) or _lettered(_marked(text))
    if not lines:
        raise _unreadable(text)
    return lines


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_named_once)
    except (ValueError, RecursionError):
        return None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise RowRefused(UNREADABLE_OPTIONS, f"a letter comes twice among the options: {shown(str(pairs))}")
    return named


def _spaced(text: str) -> list[str] | None:
    """Numpy parts texts by spaces, which Python would join to one."""
    if not _SPACED.fullmatch(text):
        return None
    strings = [_literal(found) for found in _STRINGS.findall(text)]
    return None if None in strings else strings


def _literal(text: str) -> Any:
    """A value as Python prints it; None where it is none, or where Python would join two texts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python means to drop
            value = ast.literal_eval(_GAPS.sub(_none_for_nan, text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value if len(_STRINGS.findall(text)) == _count_texts(value) else None


def _none_for_nan(found: re.Match[str]) -> str:
    return "None" if found[0] == "nan" else found[0]


def _count_texts(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_count_texts, [*value, *value.values()]))
    if isinstance(value, list | tuple | set):
        return sum(map(_count_texts, value))
    return isinstance(value, str)


def _marked(text: str) -> list[str]:
    """The parts of "(A) a dog (B) a boat", and of the same without the opening brackets."""
    starts = [found.start() for found in _MARKS.finditer(text)]
    ends = [*starts[1:], len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)] if starts[:1] == [0] else []


def _lettered(parts: Sequence[str]) -> list[str]:
    """Parts that bear the letters A, B, ... in their order, as they are; none where they do not."""
    held = [part.strip() for part in parts if part.strip()]
    labels = [label_of(part)[0] for part in held]
    return held if len(held) > 1 and labels == list(OPTION_LETTERS[: len(held)]) else []


def _of_mapping(value: Mapping[Any, Any]) -> list[Listed]:
    names = {str(name).lower(): name for name in value}
    texts = [name for name in _TEXTS if isinstance(value.get(names.get(name)), list | tuple)]
    if len(texts) == 1:
        items = list(value[names[texts[0]]])
        labels = next((value[names[name]] for name in _LABELS if name in names), None)
        return _paired(labels, items)
    keys = [str(name) for name in value]
    return _by_label([Listed(key, item) for key, item in zip(keys, value.values(), strict=True)])


def _paired(labels: Any, items: list[Any]) -> list[Listed]:
    if (
        not isinstance(labels, list | tuple)
        or len(labels) != len(items)
        or len(set(map(str, labels))) < len(labels)
    ):
        return [Listed("", item) for item in items]
    return _by_label([Listed(str(label), item) for label, item in zip(labels, items, strict=True)])


def _of_items(items: list[Any]) -> list[Listed]:
    """A list of texts, of pairs of label and text, or of objects that have both."""
    pairs = [_pair(item) for item in items]
    if items and all(pair is not None for pair in pairs):
        return _by_label([pair for pair in pairs if pair is not None])
    return [Listed("", item) for item in items]


def _pair(item: Any) -> Listed | None:
    if isinstance(item, Mapping):
        labels = [item[name] for name in _LABELS if name in item]
        texts = [item[name] for name in _TEXTS if name in item]
        return Listed(str(labels[0]), texts[0]) if len(labels) == len(texts) == 1 else None
    if isinstance(item, list | tuple) and len(item) == 2 and _KEY.fullmatch(str(item[0]).strip()):
        return Listed(str(item[0]), item[1])
    return None


def _by_label(found: Sequence[Listed]) -> list[Listed]:
    """Values in the order of their labels: letters from A on, or numbers from 0 or 1, gaps as None.

    Raises:
        RowRefused: `unreadable-options`: the labels are of another kind, or two are the same.
    """
    ranks = [_rank(one.label) for one in found]
    kinds = {kind for kind, _ in ranks}
    places = [place for _, place in ranks]
    if len(kinds) != 1 or None in kinds or len(set(places)) < len(places):
        raise _unreadable({one.label: one.value for one in found})
    first = 0 if kinds == {"letter"} or 0 in places else 1
    by_place = {place - first: one for place, one in zip(places, found, strict=True)}
    return [by_place.get(place, Listed("", None)) for place in range(max(by_place) + 1)]


def _rank(label: str) -> tuple[str | None, int]:
    key = _KEY.fullmatch(without_width(label.strip()))
    if key is None:
        return None, 0
    letter, number = key.groups()
    return ("letter", ord(letter.upper()) - ord("A")) if letter else ("number", int(number))


def _unreadable(cell: Any) -> RowRefused:
    seen = shown(cell) if isinstance(cell, str) else f"a {type(cell).__name__}: {shown(str(cell))}"
    return RowRefused(
        UNREADABLE_OPTIONS,
        f"options are {seen}; read are a list, a mapping of letters to texts, and either as JSON text",
    )
