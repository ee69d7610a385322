"""The rows of a folder that the library `datasets` wrote: by `save_to_disk`, or as files a split.

A folder with several splits is read at `test`; another one is named as `FOLDER/validation`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.sources.column_types import ColumnType, schema_types
from blip_core.sources.formats.arrow_rows import rows_of, schema_of
from blip_core.sources.formats.rows import JUDGED_SPLIT, Format, RawRow, TableFacts, limited
from blip_core.sources.formats.splits import DATA, splits_of
from blip_core.sources.opening import TableInput

_STATE = "state.json"  # `save_to_disk` leaves it in the folder of a split
_INFO = "dataset_info.json"  # and the features in this one beside it
_SPLITS = "dataset_dict.json"  # and this one above several splits
_MAX_JSON_BYTES = 16 * 1024 * 1024  # of these: some hold the digests of thousands of downloads


@dataclass(frozen=True, slots=True)
class _Files:
    """What is read of a folder.

    Attributes:
        split: its name.
        parts: Parquet or Arrow files, in their order.
        info: file with the features; None where those in the parts hold.
    """

    split: str
    parts: tuple[Path, ...]
    info: Path | None = None


def dataset_folder(path: Path) -> Path | None:
    """The folder that a path is, or of which it names a split: `FOLDER/validation`, `FOLDER/data/validation`.

    None of a path that is neither.
    """
    if path.is_dir():
        return path
    if path.exists() or path.suffix:
        return None
    folder = path.parent.parent if path.parent.name == DATA else path.parent
    return folder if folder.is_dir() and path.name in splits_of(folder) else None


def is_dataset(path: Path) -> bool:
    """Whether a folder is one that `datasets` wrote or the hub holds."""
    return (path / _STATE).is_file() or (path / _SPLITS).is_file() or bool(splits_of(path))


def _files(table: TableInput) -> _Files:
    path = table.path
    folder = dataset_folder(path) or path
    if folder != path:
        return _Files(path.name, tuple(splits_of(folder)[path.name]))
    if (path / _STATE).is_file():
        return _saved(table, path)
    if (path / _SPLITS).is_file():
        names = [folder.parent.name for folder in sorted(path.glob(f"*/{_STATE}"))]
        return _saved(table, path / _chosen(path, names))
    splits = splits_of(path)
    if not splits:
        raise TableError(
            f"{path} is a folder, but no dataset: it holds neither data/SPLIT-00000-of-00001.parquet nor "
            "what `Dataset.save_to_disk` writes. Hand in a file, or such a folder"
        )
    split = _chosen(path, list(splits))
    return _Files(split, tuple(splits[split]))


def _chosen(path: Path, splits: Sequence[str]) -> str:
    if len(splits) == 1:
        return splits[0]
    if JUDGED_SPLIT in splits:
        return JUDGED_SPLIT
    raise TableError(
        f"{path} holds the splits {', '.join(splits) or '(none)'}, and none is called {JUDGED_SPLIT}; "
        f"hand in the one that is meant, as {path / (splits[-1] if splits else 'SPLIT')}"
    )


def _saved(table: TableInput, folder: Path) -> _Files:
    """Files of a split that `save_to_disk` wrote, which its state names."""
    state = _read_json(table, folder / _STATE)
    told = state.get("_data_files")
    told = told if isinstance(told, list) else []
    names = [str(one.get("filename")) for one in told if isinstance(one, dict)]
    if not names or not all(name and Path(name).name == name for name in names):
        raise TableError(f"{folder / _STATE} names no files that lie beside it")
    info = folder / _INFO
    return _Files(folder.name, tuple(folder / name for name in names), info if info.is_file() else None)


def _read_json(table: TableInput, file: Path) -> dict[str, Any]:
    with table.open(file) as opened:
        written = opened.read(_MAX_JSON_BYTES + 1)
    try:
        value = json.loads(written) if len(written) <= _MAX_JSON_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TableError(f"{file} is no JSON object of at most {_MAX_JSON_BYTES >> 20} MiB")
    return value


# --- rows


def _names(table: TableInput) -> list[str]:
    return list(schema_of(table, _files(table).parts[0]).names)


def _types(table: TableInput) -> dict[str, ColumnType]:
    return _types_of(table, _files(table))


def _types_of(table: TableInput, files: _Files) -> dict[str, ColumnType]:
    """Types of the columns, the same in every part but for columns that hold nothing in one.

    Raises:
        TableError: Parts have different columns, or one of different types.
    """
    told = _read_json(table, files.info).get("features") if files.info else None
    features = told if isinstance(told, dict) else None
    first, *others = files.parts
    types = schema_types(schema_of(table, first), features)
    for part in others:
        found = schema_types(schema_of(table, part), features)
        if found.keys() != types.keys():
            name = min(found.keys() ^ types.keys())
            raise TableError(f"column {name!r} is in but one of {first.name} and {part.name}")
        for name, kind in found.items():
            if not types[name].fits(kind):
                raise TableError(
                    f"column {name!r} is {kind.describe()} in {part.name}, but {types[name].describe()} "
                    f"in {first.name}"
                )
            types[name] = kind if types[name].kind == "nothing" else types[name]
    return types


def _rows(table: TableInput, columns: Sequence[str]) -> Iterator[RawRow]:
    files = _files(table)
    types = _types_of(table, files)
    rows = (row for part in files.parts for row in rows_of(table, part, columns, types))
    yield from limited(table.path, rows)


def _facts(table: TableInput) -> TableFacts:
    files = _files(table)
    count = f", {len(files.parts)} files" if len(files.parts) > 1 else ""
    return TableFacts("dataset folder", notes=(f"split {files.split}{count}",))


FOLDER = Format(_names, _types, _rows, _facts)
