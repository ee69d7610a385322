"""Reads datasets back."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from blip_core.errors import TableError
from blip_core.records import SPLITS, Example, Split
from blip_core.store import read_rows

DATA = "data"

References = Literal["first", "each"]


def read_split(folder: Path, split: Split) -> list[Example]:
    """Read one split of a dataset folder.

    Raises:
        TableError: The folder holds no such split, or not all of its files, or one cannot be read.
    """
    return [example for path in split_files(folder, split) for example in read_examples(path)]


def splits_there(folder: Path) -> list[Split]:
    """The splits of a dataset folder; one from elsewhere need not have all.

    Raises:
        TableError: It holds none.
    """
    found = [split for split in SPLITS if any((folder / DATA).glob(f"{split}-*-of-*.parquet"))]
    if not found:
        raise TableError(f"{folder} holds no split: expected {DATA}/train-00000-of-0000N.parquet")
    return found


def split_files(folder: Path, split: Split) -> list[Path]:
    """The files of one split of a dataset folder, in order.

    Raises:
        TableError: The folder holds no such split, or not all of its files.
    """
    paths = sorted((folder / DATA).glob(f"{split}-*-of-*.parquet"))
    if not paths:
        raise TableError(f"{folder} holds no split {split}: expected {DATA}/{split}-00000-of-0000N.parquet")
    expected = [file_name(split, number, len(paths)) for number in range(len(paths))]
    if [path.name for path in paths] != expected:
        raise TableError(f"{folder}: files of the split {split} are missing or surplus; found {len(paths)}")
    return paths


def taught(rows: Sequence[Example], references: References) -> list[Example]:
    """The rows to learn, of those of a split.

    Args:
        rows: as the dataset holds them.
        references: `first`: as it stands; `each`: one with several right texts comes as often, each time with
            another of them for its target, under `ID-rN` but for the first.
    """
    return list(rows) if references == "first" else [one for row in rows for one in _each_reference(row)]


def _each_reference(row: Example) -> list[Example]:
    texts = list(dict.fromkeys([row.target, *row.references]))
    further = [
        replace(row, id=f"{row.id}-r{number}", target=text, references=())
        for number, text in enumerate(texts[1:], start=1)
    ]
    return [row, *further]


def read_examples(path: Path) -> list[Example]:
    """Read the examples of one Parquet file.

    Raises:
        TableError: It cannot be read, or holds something else.
    """
    return read_rows(path, Example)


def file_name(split: Split, number: int, total: int) -> str:
    """Name of one file of a split, counted from 0, as the Hugging Face hub names them."""
    return f"{split}-{number:05d}-of-{total:05d}.parquet"
