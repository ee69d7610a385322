"""Data sets of the hub, brought into a folder at one commit: a table that recipes read without a network.

Files come one after the other until there are rows enough, and are read by readers of `datasets` that are
named here by what the files are: neither a script of the repository nor what its card says is ever obeyed.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core import strict_json
from blip_core.errors import TableError, UserMistake
from blip_core.prefetching.hub import Hub, Watcher, is_file
from blip_core.prefetching.selecting import RemoteFile

LOCK = "hub.json"
ROWS = "rows.parquet"
MEGABYTE = 1_000_000
ROWS_AT_ONCE = 100  # of a row group, as datasets with pictures are kept
_FILES = "files"
_READERS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".arrow": "arrow",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a data set is wanted.

    Attributes:
        id: on the hub, `owner/name`.
        split: whose files are read, by the name in their paths.
        revision: commit, tag or branch; empty, the newest commit, which is written down.
        config: folder of the configuration; empty where there is one.
        rows: how many at most; 0, all.
        megabytes: that may be downloaded.
    """

    id: str
    split: str = "train"
    revision: str = ""
    config: str = ""
    rows: int = 0
    megabytes: int = 1_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came.

    Attributes:
        table: that recipes read.
        commit: of the repository.
        rows: of the table.
        files: that were read, with their sizes in bytes.
        licence: as the data set's card says; may be empty.
        columns: of the table.
    """

    table: str
    commit: str
    rows: int
    files: dict[str, int]
    licence: str
    columns: list[str]


def fetch_set(hub: Hub, asked: Asked, out: Path, watcher: Watcher) -> Fetched:
    """Bring rows of a data set; what is there already is not asked for again.

    Raises:
        CheckpointError: There is no such data set or revision.
        HubAway: The hub cannot be reached, or broke off; what came is kept.
        UserMistake: It holds nothing that can be read, or more than may be downloaded.
        TableError: Its files cannot be read.
    """
    if (known := _known(asked, out)) is not None:
        return known
    listing = hub.data_files(asked.id, asked.revision)
    files = _wanted(asked, listing.files)
    got: list[Path] = []
    there, left = 0, asked.megabytes * MEGABYTE
    for file in files:
        left -= file.size
        if left < 0:
            raise UserMistake(
                f"{asked.id}: {file.name} goes beyond the {asked.megabytes:,} MB that may be downloaded; "
                "allow more (--megabytes), or ask for fewer rows (--rows)"
            )
        got.append(_brought(hub, asked.id, listing.commit, file, out / _FILES, watcher))
        there += _rows_in(got[-1])
        if asked.rows and there >= asked.rows:
            break
    count, columns = _write(got, asked, out / ROWS)
    sizes = {file.name: file.size for file in files[: len(got)]}
    fetched = Fetched(ROWS, listing.commit, count, sizes, listing.licence, columns)
    told = {"asked": asdict(asked), "fetched": asdict(fetched)}
    (out / LOCK).write_text(strict_json.dumps(told, indent=1), encoding="utf-8")
    return fetched


def _known(asked: Asked, out: Path) -> Fetched | None:
    """What an earlier call brought, if it asked for the same.

    Raises:
        UserMistake: It asked for something else, or something else lies there.
    """
    lock = out / LOCK
    if not lock.is_file():
        if out.exists() and any(path.name != _FILES for path in out.iterdir()):
            raise UserMistake(f"{out} holds something else; name a folder that is new or empty")
        return None
    try:
        told = strict_json.loads(lock.read_text(encoding="utf-8"))
        if told["asked"] != asdict(asked):
            raise UserMistake(
                f"{out} holds what {lock} says, and other rows were asked for; name another folder"
            )
        return Fetched(**told["fetched"]) if (out / ROWS).is_file() else None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserMistake(f"{lock} cannot be read ({error!r}); remove {out}, and fetch again") from error


def _wanted(asked: Asked, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Data files of a split, by the names that the hub gives them: `SPLIT-00000-of-0000N`, `SPLIT/...`."""
    data = [one for one in files if PurePosixPath(one.name).suffix.lower() in _READERS]
    own = [one for one in data if not asked.config or asked.config in PurePosixPath(one.name).parts[:-1]]
    found = sorted((one for one in own if _is_of_split(one.name, asked.split)), key=lambda one: one.name)
    if not found:
        some = ", ".join(sorted(one.name for one in data)[:5])
        scripts = any(one.name.endswith(".py") for one in files)
        why = (
            "it is made by a script, which is never run"
            if scripts and not data
            else f"it has {some or 'none'}"
        )
        raise UserMistake(
            f"{asked.id} has no file ({', '.join(_READERS)}) of the split {asked.split!r}"
            f"{f' below {asked.config}' if asked.config else ''}: {why}"
        )
    kinds = {_READERS[PurePosixPath(one.name).suffix.lower()] for one in found}
    folders = {PurePosixPath(one.name).parent for one in found}
    if len(kinds) > 1 or (len(folders) > 1 and not asked.config):
        named = ", ".join(sorted(map(str, folders)))
        raise UserMistake(f"{asked.id} has files of several configurations ({named}); name one with --config")
    return found


def _is_of_split(name: str, split: str) -> bool:
    path = PurePosixPath(name)
    stem = path.name.lower()
    named = stem.removeprefix(split.lower())
    return (stem.startswith(split.lower()) and not named[:1].isalnum()) or split in path.parts[:-1]


def _brought(hub: Hub, name: str, commit: str, file: RemoteFile, folder: Path, watcher: Watcher) -> Path:
    path = folder / commit / file.name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserMistake(f"{name} names a file outside of itself: {file.name!r}; it is not fetched")
    if is_file(path, file):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    hub.download(name, commit, file, part, watcher)
    part.replace(path)
    return path


def _rows_in(path: Path) -> int:
    """Rows of a Parquet file; of others nobody knows before they are read."""
    if path.suffix.lower() != ".parquet":
        return 0
    try:
        return int(pq.read_metadata(path).num_rows)
    except pa.ArrowException as error:
        raise TableError(f"{path} is no Parquet file: {error}") from error


def _write(files: Sequence[Path], asked: Asked, path: Path) -> tuple[int, list[str]]:
    """Stream rows into one table; gives how many, and its columns."""
    from datasets import Image, load_dataset
    from datasets.exceptions import DatasetsError

    kind = _READERS[files[0].suffix.lower()]
    options = {"sep": "\t"} if files[0].suffix.lower() == ".tsv" else {}
    try:
        rows = load_dataset(kind, data_files=list(map(str, files)), split="train", streaming=True, **options)
        for name, feature in (rows.features or {}).items():
            if isinstance(feature, Image):
                rows = rows.cast_column(name, Image(decode=False))  # bytes stay as they are
        schema = rows.features.arrow_schema if rows.features else None
        every = iter(rows)
        written = _write_rows(islice(every, asked.rows or None), schema, path)
        if kind != "parquet":  # these readers close their file at its end alone
            deque(every, maxlen=0)
        return written
    except (DatasetsError, pa.ArrowException, ValueError, TypeError, KeyError, OSError) as error:
        raise TableError(f"the files of {asked.id} cannot be read as {kind}: {error}") from error


def _write_rows(rows: Any, schema: pa.Schema | None, path: Path) -> tuple[int, list[str]]:
    """Write rows by a schema; where there is none, by what the first rows hold."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    count = 0
    groups = _in_groups(iter(rows))
    first = next(groups, [])
    schema = schema or pa.Table.from_pylist(first).schema
    with pq.ParquetWriter(unfinished, schema) as writer:
        for group in chain([first], groups):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    unfinished.replace(path)
    return count, list(schema.names)


def _in_groups(rows: Iterator[Any]) -> Iterator[list[Any]]:
    group: list[Any] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group
