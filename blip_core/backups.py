"""Backups of what cannot be made again: both databases, files of runs, journals, what the store holds.

    backup-20260314T093000Z/mlflow.db | mlflow.dump      by SQLite's online backup, or by pg_dump
                            prefect.db | prefect.dump
                            journal/  artifacts/         as they lie below the home
                            checkpoints.lock
                            store.jsonl                  key, kind, digest and rows of each artefact
                            backup.json                  comes last: format, version, sha256 of every file

A backup without its `backup.json` is none. It holds no password: databases are told by their kind alone.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.databases import dump, holds_tables, load
from blip_core.errors import BackupError, PlaceError
from blip_core.store import Store

FORMAT = 1
_PREFIX, _STAGING, _CONTENTS = "backup-", ".writing-", "backup.json"
_TIME = "%Y%m%dT%H%M%SZ"
_LISTING = "store.jsonl"
_FILE_SUFFIX, _DUMP_SUFFIX = ".db", ".dump"


@dataclass(frozen=True, slots=True)
class Database:
    """A database that is kept: a file, or one in PostgreSQL.

    Attributes:
        name: `mlflow` or `prefect`.
        file: of SQLite.
        address: in PostgreSQL; empty, the file is meant.
        variable: of the environment, that names the address.
    """

    name: str
    file: Path
    address: str
    variable: str

    @property
    def kept_as(self) -> str:
        return f"{self.name}{_DUMP_SUFFIX if self.address else _FILE_SUFFIX}"

    def is_empty(self) -> bool:
        return not (holds_tables(self.address, self.variable) if self.address else self.file.exists())


@dataclass(frozen=True, slots=True)
class Kept:
    """All of a place that a backup holds.

    Attributes:
        databases: of both servers.
        folders: by their name in the backup: files of runs, journals.
        files: the same of single files.
        store: what is listed.
    """

    databases: Sequence[Database]
    folders: dict[str, Path]
    files: dict[str, Path]
    store: Store


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds, or what was restored of it.

    Attributes:
        folder: of the backup.
        databases: files of databases.
        journals: how many runs.
        artifacts: how many the store held.
        missing: keys of those that are not in the store that was restored to.
    """

    folder: Path
    databases: list[str]
    journals: int
    artifacts: int
    missing: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "folder"}

    def words(self) -> str:
        kept = ", ".join(self.databases) or "no database"
        return f"{kept}, {self.journals} journals, a list of {self.artifacts} artefacts"


def make_backup(kept: Kept, folder: Path) -> Backup:
    """Write a backup below a folder, which is made if need be; one that is broken off leaves none.

    Raises:
        PlaceError: A database cannot be reached.
        BackupError: A database cannot be read.
    """
    final = folder / f"{_PREFIX}{datetime.now(UTC).strftime(_TIME)}"
    staging = folder / f"{_STAGING}{final.name}"
    staging.mkdir(parents=True)
    try:
        for database in kept.databases:
            _keep(database, staging)
        for name, source in kept.folders.items():
            if source.is_dir():
                shutil.copytree(source, staging / name, ignore=shutil.ignore_patterns("*.lock", "*.tmp"))
        for name, source in kept.files.items():
            if source.exists():
                shutil.copyfile(source, staging / name)
        (staging / _LISTING).write_text("".join(_listed(kept.store)), encoding="utf-8")
        _seal(staging)
        staging.rename(final)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return _held(final)


def forget_older(folder: Path, keep: int) -> list[Path]:
    """Remove all whole backups but the newest few; gives those that were removed."""
    old = _backups(folder)[keep:]
    for one in old:
        shutil.rmtree(one)
    return old


def restore_backup(kept: Kept, named: Path) -> Backup:
    """Put a backup back where nothing is.

    Args:
        kept: the place; all of it has to be empty, but for the store.
        named: a backup, or a folder of backups.

    Raises:
        BackupError: It is none, is damaged, or was made by a newer version.
        PlaceError: The place holds records, or keeps them in another kind of database.
    """
    folder = _chosen(named)
    _check_sealed(folder)
    _refuse_full(kept)
    held = _held(folder)
    for database in kept.databases:
        _refuse_another_kind(database, held)
    for database in kept.databases:
        if database.kept_as in held.databases:
            _put_back(database, folder / database.kept_as)
    for name, target in kept.folders.items():
        if (folder / name).is_dir():
            shutil.copytree(folder / name, target, dirs_exist_ok=True)
    for name, target in kept.files.items():
        if (folder / name).exists() and not target.exists():
            shutil.copyfile(folder / name, target)
    here = {artifact.key for artifact in kept.store.artifacts()}
    missing = [key for key in _listed_keys(folder) if key not in here]
    return Backup(folder, held.databases, held.journals, held.artifacts, missing)


def _keep(database: Database, folder: Path) -> None:
    target = folder / database.kept_as
    if database.address:
        dump(database.address, database.variable, target)
    elif database.file.exists():
        _copy_file(database.file, target)


def _copy_file(source: Path, target: Path) -> None:
    """Copy a database of SQLite that others may be writing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(target)) as copy:
            opened.backup(copy)
    except sqlite3.DatabaseError as error:
        raise BackupError(
            f"{source} cannot be read: {error}; `foundry doctor` says how to mend it"
        ) from error


def _put_back(database: Database, source: Path) -> None:
    if database.address:
        load(database.address, database.variable, source)
    else:
        _copy_file(source, database.file)


def _listed(store: Store) -> Iterator[str]:
    for one in store.artifacts():
        told = {"key": one.key, "kind": one.kind, "digest": one.digest, "rows": one.rows}
        yield strict_json.dumps(told) + "\n"


def _listed_keys(folder: Path) -> list[str]:
    lines = (folder / _LISTING).read_text(encoding="utf-8").splitlines()
    return [str(strict_json.loads(line)["key"]) for line in lines]


def _held(folder: Path) -> Backup:
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (_FILE_SUFFIX, _DUMP_SUFFIX))
    return Backup(folder, names, len(list(folder.glob("journal/*.jsonl"))), len(_listed_keys(folder)))


def _seal(folder: Path) -> None:
    files = {str(path.relative_to(folder)): _digest(path) for path in folder.rglob("*") if path.is_file()}
    told = {"format": FORMAT, "foundry": version("blip-foundry"), "files": files}
    (folder / _CONTENTS).write_text(strict_json.dumps(told, indent=1), encoding="utf-8")


def _check_sealed(folder: Path) -> None:
    try:
        told = strict_json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        made_by, files, number = told["foundry"], told["files"], int(told["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(
            f"{folder} is no whole backup: its {_CONTENTS} cannot be read; take another"
        ) from error
    if number > FORMAT:
        raise BackupError(
            f"{folder} was made by blip-foundry {made_by}, whose backups have format {number}; this one "
            f"reads up to {FORMAT}: restore it with that version"
        )
    for name, digest in files.items():
        if not (folder / name).is_file() or _digest(folder / name) != digest:
            raise BackupError(f"{folder} is damaged: {name} is not what was kept; take another backup")


def _refuse_full(kept: Kept) -> None:
    full = [one.variable if one.address else str(one.file) for one in kept.databases if not one.is_empty()]
    full += [str(path) for path in kept.folders.values() if path.is_dir() and any(path.iterdir())]
    if full:
        raise PlaceError(
            f"nothing is restored: there are records in {', '.join(full)}, which would be overwritten; name "
            "an empty place in FOUNDRY_HOME, and empty databases"
        )


def _refuse_another_kind(database: Database, held: Backup) -> None:
    ours, theirs = database.kept_as, [name for name in held.databases if name.startswith(f"{database.name}.")]
    if theirs and ours not in theirs:
        wanted = f"name one in {database.variable}" if not database.address else f"unset {database.variable}"
        raise PlaceError(
            f"nothing is restored: the backup holds {theirs[0]}, and this place keeps {database.name} "
            f"elsewhere; {wanted}"
        )


def _chosen(named: Path) -> Path:
    if (named / _CONTENTS).exists():
        return named
    found = _backups(named)
    if not found:
        raise BackupError(f"{named} holds no backup; name a folder that `foundry backup` wrote to")
    return found[0]


def _backups(folder: Path) -> list[Path]:
    """Whole ones, newest first."""
    found = folder.glob(f"{_PREFIX}*/{_CONTENTS}") if folder.is_dir() else []
    return sorted((path.parent for path in found), key=lambda path: path.name, reverse=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
