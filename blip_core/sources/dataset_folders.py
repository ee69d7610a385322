"""The rows of a folder that the library `datasets` wrote: by `save_to_disk`, or as Parquet files a split.

A folder with several splits is read at `test`, or else has to be named one level deeper.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from blip_core.errors import TableError
from blip_core.lfs import ADVICE, is_lfs_pointer_file
from blip_core.sources.column_types import ColumnType, schema_types

JUDGED_SPLIT = "test"

_STATE = "state.json"  # `save_to_disk` leaves it in the folder of a split
_SPLITS = "dataset_dict.json"  # and this one above several
_PARQUET = re.compile(r"(?P<split>\w+)-\d{5}-of-\d{5}\.parquet")
_BATCH_ROWS = 16  # pictures are large


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files of the split that is read, in order; none where `save_to_disk` wrote the folder.

    Raises:
        TableError: There are several splits and none is `test`.
    """
    shards = _shards(path)
    split = _chosen(path, sorted(shards), "the Parquet file") if shards else ""
    files = shards.get(split, [])
    for pointer in filter(is_lfs_pointer_file, files):
        raise TableError(f"{pointer} {ADVICE}")
    return files


def arrow_folder(path: Path) -> Path:
    """The folder of the split that is read, as `save_to_disk` wrote it.

    Raises:
        TableError: There are several splits and none is `test`, or the folder holds something else.
    """
    if (path / _STATE).is_file():
        return path
    if not (path / _SPLITS).is_file():
        raise TableError(
            f"{path} is a folder, but no dataset: it holds neither data/SPLIT-00000-of-00001.parquet nor "
            "what `Dataset.save_to_disk` writes. Hand in a file, or such a folder"
        )
    names = [folder.parent.name for folder in sorted(path.glob(f"*/{_STATE}"))]
    return path / _chosen(path, names, "the folder")


def arrow_names(path: Path) -> list[str]:
    """Columns of a folder that `save_to_disk` wrote."""
    return list(_open(path).column_names)


def arrow_types(path: Path) -> dict[str, ColumnType]:
    """Types of the columns of a folder that `save_to_disk` wrote, with its features."""
    rows = _open(path)
    return schema_types(rows.features.arrow_schema, rows.features.to_dict())


def arrow_batches(path: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """Rows of a folder that `save_to_disk` wrote, mapped into memory, in small batches."""
    rows = _open(path)
    wanted = rows if columns is None else rows.select_columns(columns)
    for table in wanted.with_format("arrow").iter(batch_size=_BATCH_ROWS):
        yield from table.to_batches()


def arrow_rows(path: Path) -> int:
    """How many rows a folder that `save_to_disk` wrote holds."""
    return len(_open(path))


def _open(path: Path) -> Any:
    from datasets import load_from_disk

    return load_from_disk(str(path))


def _shards(path: Path) -> dict[str, list[Path]]:
    """Parquet files by split, of the folder itself or of `data` below it."""
    found: dict[str, list[Path]] = {}
    for folder in (path, path / "data"):
        for file in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
            named = _PARQUET.fullmatch(file.name)
            found.setdefault(named["split"] if named else file.stem, []).append(file)
    return found


def _chosen(path: Path, splits: list[str], deeper: str) -> str:
    if len(splits) == 1:
        return splits[0]
    if JUDGED_SPLIT in splits:
        return JUDGED_SPLIT
    raise TableError(
        f"{path} holds the splits {', '.join(splits) or '(none)'}, and none is called {JUDGED_SPLIT}; "
        f"hand in {deeper} of the one that is meant"
    )
