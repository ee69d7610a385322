"""TOML from people: what the parser itself would not bear is refused in words."""

import tomllib
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 16  # a recipe has four levels
_INTEGERS = range(-(2**63), 2**63)  # TOML 1.0 asks for no more


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML whose values a recipe could hold.

    Raises:
        ValueError: It is no TOML, is nested deeper than `MAX_DEPTH`, or holds a number beyond 64 bits.
    """
    try:
        parsed = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from error
    for value, depth in _values(parsed):
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, int) and value not in _INTEGERS:
            raise ValueError("it holds a number beyond 64 bits")
    return parsed


def _values(parsed: Any) -> Iterator[tuple[Any, int]]:
    """Every value with its depth; without recursion, and not below the first one that lies too deep."""
    waiting = [(parsed, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if isinstance(value, dict):
            waiting += [(inner, depth + 1) for inner in value.values()]
        if isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
