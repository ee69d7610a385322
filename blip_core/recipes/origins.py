"""A resolved recipe as TOML that says of each value where it came from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from blip_core.recipes.explaining import Layer
from blip_core.recipes.merging import merge

DEFAULT = "default"

Path = tuple[str, ...]


def origins_of(
    layers: Sequence[Layer], overrides: Sequence[Layer], changes: Mapping[str, Any]
) -> dict[Path, str]:
    """Which layer each value that somebody wrote came from; what a later layer drove out is absent.

    Args:
        layers: what was laid over one another, first to last.
        overrides: what was changed last.
        changes: all of that as one patch.
    """
    merged: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    for patch, writers in [*((layer.patch, [layer]) for layer in layers), (changes, overrides)]:
        merged = merge(merged, patch)
        there = set(_leaves(merged))
        written = {path: writer.origin for writer in writers for path in _leaves(writer.patch)}
        origins = {path: origin for path, origin in (origins | written).items() if path in there}
    return origins


def write_with_origins(content: Mapping[str, Any], origins: Mapping[Path, str]) -> str:
    """A recipe as TOML, with the origin of each value in a comment behind it, or above a long one."""
    return "\n".join(_lines(content, (), origins)).strip() + "\n"


def _lines(table: Mapping[str, Any], above: Path, origins: Mapping[Path, str]) -> Iterator[str]:
    sections = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    lists = {name: value for name, value in table.items() if _has_headings(value)}
    plain = [name for name in table if name not in sections and name not in lists]
    if above and (plain or not table):
        yield f"\n{_dumped({}, above).strip()}"
    for name in plain:
        yield _told(_dumped(table[name], (name,)), origins.get((*above, name), DEFAULT))
    for name, value in sections.items():
        yield from _lines(value, (*above, name), origins)
    for name, value in lists.items():
        told = _dumped(value, (*above, name)).strip()
        yield f"\n# {origins.get((*above, name), DEFAULT)}\n{told}"


def _dumped(value: Any, path: Path) -> str:
    for name in reversed(path):
        value = {name: value}
    return tomli_w.dumps(value, multiline_strings=True)


def _told(line: str, origin: str) -> str:
    line = line.rstrip("\n")
    return f"# {origin}\n{line}" if "\n" in line else f"{line}  # {origin}"


def _leaves(table: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


def _has_headings(value: Any) -> bool:
    """Whether a list is written as tables with headings of their own; short ones stand on one line."""
    return isinstance(value, list) and _dumped(value, ("x",)).startswith("[[")
