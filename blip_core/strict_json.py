"""JSON as its standard has it (RFC 8259), in which every number is one; the only place that writes any.

Python's own `json` writes and reads NaN and Infinity, which are no JSON: other readers refuse a file that
holds them, and ours would take a score that is no number for one.
"""

import json
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NoReturn

from blip_core.errors import NotANumber

_ROOT = "the value"


def dumps(
    value: Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    ensure_ascii: bool = True,
    separators: tuple[str, str] | None = None,
    default: Callable[[Any], str] | None = None,
) -> str:
    """Write JSON as `json.dumps` does, byte for byte.

    Raises:
        NotANumber: A number is not finite; the message names the path of keys that leads to the first.
        TypeError: Something is no JSON.
        ValueError: A list or mapping holds itself.
    """
    try:
        return json.dumps(
            value,
            indent=indent,
            sort_keys=sort_keys,
            ensure_ascii=ensure_ascii,
            separators=separators,
            default=default,
            allow_nan=False,
        )
    except ValueError:
        found = _first_non_finite(value, "", ())
        if found is None:
            raise
        path, number = found
        raise NotANumber(f"{path or _ROOT} is {number}, which JSON has no number for") from None


def loads(text: str | bytes) -> Any:
    """Read JSON that we wrote, as `json.loads` does, but with finite numbers alone.

    What strangers wrote is read with `json` itself: a checkpoint's config may hold an Infinity of its own.

    Raises:
        NotANumber: A number is no number, or too large for one; it is a ValueError, too.
        ValueError: The text is no JSON.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(literal: str) -> NoReturn:
    raise NotANumber(f"it holds {literal}, which JSON has no number for")


def _finite(literal: str) -> float:
    number = float(literal)
    return number if isfinite(number) else _refuse(literal)


def _first_non_finite(value: Any, path: str, within: tuple[int, ...]) -> tuple[str, float] | None:
    """Path and value of the first number that is none; None where all are numbers."""
    if isinstance(value, float):
        return None if isfinite(value) else (path, value)
    if not isinstance(value, Mapping | list | tuple) or id(value) in within:
        return None
    for below, item in _below(value, path):
        found = _first_non_finite(item, below, (*within, id(value)))
        if found is not None:
            return found
    return None


def _below(value: Any, path: str) -> list[tuple[str, Any]]:
    """What a list or mapping holds, with paths; a mapping's keys may be numbers, too."""
    if not isinstance(value, Mapping):
        return [(f"{path}[{place}]", item) for place, item in enumerate(value)]
    return [(_joined(path, key), part) for key, item in value.items() for part in (key, item)]


def _joined(path: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"
