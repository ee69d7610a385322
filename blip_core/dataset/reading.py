"""Reads datasets back."""

from pathlib import Path

from blip_core.errors import TableError
from blip_core.records import Example, Split
from blip_core.store import read_rows

DATA = "data"


def read_split(folder: Path, split: Split) -> list[Example]:
    """Read one split of a dataset folder.

    Raises:
        TableError: The folder holds no such split, or not all of its files, or one cannot be read.
    """
    paths = sorted((folder / DATA).glob(f"{split}-*-of-*.parquet"))
    if not paths:
        raise TableError(f"{folder} holds no split {split}: expected {DATA}/{split}-00000-of-0000N.parquet")
    expected = [file_name(split, number, len(paths)) for number in range(len(paths))]
    if [path.name for path in paths] != expected:
        raise TableError(f"{folder}: files of the split {split} are missing or surplus; found {len(paths)}")
    return [example for path in paths for example in read_examples(path)]


def read_examples(path: Path) -> list[Example]:
    """Read the examples of one Parquet file.

    Raises:
        TableError: It cannot be read, or holds something else.
    """
    return read_rows(path, Example)


def file_name(split: Split, number: int, total: int) -> str:
    """Name of one file of a split, counted from 0, as the Hugging Face hub names them."""
    return f"{split}-{number:05d}-of-{total:05d}.parquet"
