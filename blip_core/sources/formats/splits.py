"""Which files of a folder make up which split, by the names that `datasets` and the hub give them.

test-00000-of-00002.parquet            in the folder or in `data` below it
test-00000-of-00002-0a1b2c3d.parquet   as the hub wrote them for some time
NAME-test-00000-of-00002.arrow         in the cache of `datasets`
test-0.parquet ... test-10.parquet     numbered by hand
test/0000.parquet                      as the hub converts datasets; `partial-test` if only their beginning
test/anything.parquet                  folders named as splits are
default/...                            any of these one level deeper: the only configuration, or `default`
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from blip_core.errors import TableError
from blip_core.sources.formats.arrow_rows import ARROW_ENDINGS, PARQUET_ENDING

DATA = "data"
DEFAULT_CONFIGURATION = "default"

_ENDINGS = (PARQUET_ENDING, *ARROW_ENDINGS)
_SPLIT_NAMES = ("train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval")
_PART = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?:-[0-9a-f]{8,40})?")
_NUMBERED = re.compile(r"(?P<split>.*[^\W\d_])[-_.](?P<number>\d{1,6})")
_BARE_NUMBER = re.compile(r"\d{1,6}")
_PARTIAL = "partial-"
_LAST_WORD = re.compile(r"[^\W_]+$")
_NAMED_FILES = 3  # in a message


@dataclass(frozen=True, slots=True)
class _Part:
    """A file, as its name says: of which split it is, its place in it, and of how many (None: not told)."""

    file: Path
    split: str
    number: int
    count: int | None = None
    is_whole_series: bool = False  # numbers start at 0 and none is left out


def splits_of(folder: Path) -> dict[str, list[Path]]:
    """The files of each split of a folder, in their order; none where there are no such files.

    Raises:
        TableError: A split lacks a file or has one twice, or there are several configurations.
    """
    parts = [*_parts_of(folder), *_parts_of(folder / DATA)]
    if not parts:
        parts = _parts_of_configuration(folder)
    by_split: dict[str, list[_Part]] = {}
    for part in _lone_names(parts):
        by_split.setdefault(part.split, []).append(part)
    return {split: _in_order(folder, split, found) for split, found in sorted(by_split.items())}


def _parts_of(folder: Path) -> list[_Part]:
    """Files in a folder, and in those below it that are named as splits or hold numbered files alone."""
    parts = _parts_in(folder)
    for inner in _folders(folder):
        files = _files(inner)
        if _is_split_name(_name(inner)) or all(_BARE_NUMBER.fullmatch(file.stem) for file in files):
            parts += _parts_in(inner)
    return parts


def _parts_in(folder: Path) -> list[_Part]:
    files = _files(folder)
    name = _name(folder)
    if _is_split_name(name) and not any(_tells_its_split(file) for file in files):
        return [_Part(file, name, number) for number, file in enumerate(files)]
    return [_part(file, name) for file in files]


def _name(folder: Path) -> str:
    return folder.name.removeprefix(_PARTIAL)


def _is_split_name(name: str) -> bool:
    return name.lower() in _SPLIT_NAMES


def _tells_its_split(file: Path) -> bool:
    return bool(_PART.fullmatch(file.stem) or _BARE_NUMBER.fullmatch(file.stem)) or _is_split_name(file.stem)


def _parts_of_configuration(folder: Path) -> list[_Part]:
    found = {inner.name: [*_parts_of(inner), *_parts_of(inner / DATA)] for inner in _folders(folder)}
    held = {name: parts for name, parts in found.items() if parts}
    if len(held) > 1 and DEFAULT_CONFIGURATION not in held:
        raise TableError(
            f"{folder} holds the configurations {', '.join(sorted(held))}; hand in the folder of one"
        )
    return held.get(DEFAULT_CONFIGURATION) or next(iter(held.values()), [])


def _files(folder: Path) -> list[Path]:
    """Of equal numbers the shorter name comes first, so that 10 comes after 9 where names are not padded."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(
        (path for path in found if path.suffix.lower() in _ENDINGS and path.is_file()),
        key=lambda path: [int(run) if run.isdecimal() else run for run in re.split(r"(\d+)", path.name)],
    )


def _folders(folder: Path) -> Iterator[Path]:
    found = sorted(folder.iterdir()) if folder.is_dir() else ()
    return (path for path in found if path.is_dir() and path.name != DATA and not path.name.startswith("."))


def _part(file: Path, folder_name: str) -> _Part:
    if told := _PART.fullmatch(file.stem):
        return _Part(file, _split_name(told["split"]), int(told["number"]), int(told["count"]), True)
    if _BARE_NUMBER.fullmatch(file.stem):
        return _Part(file, folder_name, int(file.stem), is_whole_series=True)
    if numbered := _NUMBERED.fullmatch(file.stem):
        return _Part(file, numbered["split"], int(numbered["number"]))
    return _Part(file, _split_name(file.stem), 0)


def _split_name(name: str) -> str:
    """Without the name of the dataset in front, which the cache of `datasets` writes there."""
    last = _LAST_WORD.search(name)
    return last[0] if last and _is_split_name(last[0]) else name


def _lone_names(parts: list[_Part]) -> list[_Part]:
    """A file whose name ends in a number, with no other beside it, is no part but bears its own name."""
    splits = [part.split for part in parts]
    return [
        replace(part, split=part.file.stem) if _is_lone(part) and splits.count(part.split) == 1 else part
        for part in parts
    ]


def _is_lone(part: _Part) -> bool:
    return not part.is_whole_series and bool(_NUMBERED.fullmatch(part.file.stem))


def _in_order(folder: Path, split: str, parts: list[_Part]) -> list[Path]:
    numbers = [part.number for part in parts]
    counts = {part.count for part in parts}
    is_whole = all(part.is_whole_series for part in parts)
    if len(counts) > 1 or len(set(numbers)) < len(numbers):
        names = ", ".join(part.file.name for part in parts[:_NAMED_FILES])
        raise TableError(
            f"{folder}: files of the split {split} do not belong together: {names}; remove those left "
            "over, or hand in a file by itself"
        )
    due = next(iter(counts)) or max(numbers) + 1
    missing = sorted(set(range(due)) - set(numbers))
    if is_whole and missing:
        raise TableError(
            f"{folder}: the split {split} has {due} files, and {len(missing)} of them are not there (number "
            f"{missing[0]:05d}); fetch them, or hand in a file by itself to read it alone"
        )
    return [part.file for part in sorted(parts, key=lambda part: part.number)]
