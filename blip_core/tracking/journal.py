"""A run's journal: one JSONL file a run, appended to before anything is sent anywhere.

Beside `RUN.jsonl` lies the folder `RUN.files` with copies of files that MLflow has not received yet, and
`RUN.sent.json`, which says how far it has got.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from blip_core import strict_json
from blip_core.errors import TrackingError

Kind = Literal["start", "params", "metrics", "tags", "artifact", "dataset", "table", "adapter", "finish"]

SYNC_ENTRIES = 100  # lines that may wait for the disk; the operating system has them already
SYNC_SECONDS = 2.0
SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal; `number` counts from 0 and `time_ms` is Unix time in milliseconds."""

    number: int
    kind: Kind
    time_ms: int
    data: dict[str, Any]

    def to_line(self) -> str:
        return strict_json.dumps(
            {"kind": self.kind, "time_ms": self.time_ms, "data": self.data}, ensure_ascii=False
        )


class Journal:
    """The journal of one run, open for appending and locked against a second writer.

    Lines survive the death of the process at once and that of the machine after at most `SYNC_SECONDS` of
    further entries; `sync` makes sure. Not safe for threads: its run holds a lock.

    Raises:
        BlockingIOError: when another process, or another run of this one, writes it.
        TrackingError: it cannot be written, for instance because the disk is full; so do the methods.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _open_locked(path)
        self._drop_torn_line()
        self._count = len(read_journal(path))
        self._unsynced = 0
        self._synced_at = time.monotonic()

    @property
    def run_id(self) -> str:
        return self.path.stem

    def append(self, kind: Kind, data: Mapping[str, Any], time_ms: int | None = None) -> Entry:
        """Write one entry, of now unless told otherwise."""
        entry = Entry(self._count, kind, time_ms or time.time_ns() // 1_000_000, dict(data))
        with _explained(self.path):
            self._file.write(entry.to_line().encode() + b"\n")
            self._file.flush()
        self._count += 1
        self._unsynced += 1
        if self._unsynced >= SYNC_ENTRIES or time.monotonic() - self._synced_at >= SYNC_SECONDS:
            self.sync()
        return entry

    def keep(self, path: Path) -> str:
        """Copy a file or folder into the journal; its name relative to the journal's folder."""
        kept = files_folder(self.path) / f"{self._count:06d}" / path.name
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        with _explained(self.path):
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy(path, kept)
        return str(kept.relative_to(self.path.parent))

    def keep_text(self, name: str, text: str) -> str:
        """Write a file of the journal's own; its name relative to the journal's folder."""
        kept = files_folder(self.path) / f"{self._count:06d}" / name
        with _explained(self.path):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, encoding="utf-8")
        return str(kept.relative_to(self.path.parent))

    def sync(self) -> None:
        """Wait until the disk has every line."""
        with _explained(self.path):
            os.fsync(self._file.fileno())
        self._unsynced = 0
        self._synced_at = time.monotonic()

    def close(self) -> None:
        if self._file.closed:
            return
        self.sync()
        self._file.close()

    def _drop_torn_line(self) -> None:
        """Cut off what a process that died while writing left behind the last full line."""
        text = self.path.read_bytes()
        end = text.rfind(b"\n") + 1
        if end != len(text):
            self._file.truncate(end)


def read_journal(path: Path) -> list[Entry]:
    """Read the full lines of a journal; a torn last line is left out.

    Raises:
        TrackingError: A line is no entry.
    """
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_parse(path, number, line) for number, line in enumerate(lines)]


def read_start(path: Path) -> Entry:
    """Read the first entry of a journal.

    Raises:
        TrackingError: There is none.
    """
    with path.open("rb") as file:
        return _parse(path, 0, file.readline())


def journals(folder: Path, except_runs: Container[str] = ()) -> list[Path]:
    """The journals of a folder, oldest first, but those of some runs."""
    paths = [path for path in folder.glob(f"*{SUFFIX}") if path.stem not in except_runs]
    return sorted(paths, key=lambda path: (path.stat().st_ctime, path.name))


def is_being_written(path: Path) -> bool:
    """Whether a living process holds the journal open."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _open_locked(path: Path) -> BinaryIO:
    with _explained(path):
        file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


def files_folder(journal: Path) -> Path:
    return journal.with_suffix(".files")


def _parse(path: Path, number: int, line: bytes) -> Entry:
    try:
        value = strict_json.loads(line)
        return Entry(number, value["kind"], value["time_ms"], value["data"])
    except (ValueError, TypeError, KeyError) as error:
        raise TrackingError(f"{path}: line {number + 1} is not an entry: {error!r}") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrackingError(
            f"the journal {path} cannot be written ({error.strerror or error}); what was finished is kept: "
            "make room, or mend the folder's permissions, and run again"
        ) from error
