"""Sends the entries of a journal to MLflow, in order, any number of times with the same result.

A metric is one row a (run, key, step, timestamp, value) in MLflow's own store, so that sending it again adds
nothing; params, tags and files replace themselves; runs and adapters are looked up before they are made.
"""

import errno
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from blip_core.tracking.cursor import Cursor, note_delivered, read_cursor, write_cursor
from blip_core.tracking.destination import (
    ACTIVE,
    DELETED,
    Destination,
    find_or_create_run,
    first_line,
    is_refusal,
)
from blip_core.tracking.journal import Entry, files_folder, read_journal, read_start
from blip_core.tracking.pages import file_address, file_page, run_page
from blip_core.tracking.sending import send_alone, send_batch

logger = logging.getLogger(__name__)

DUE_ENTRIES = 100
DUE_SECONDS = 5.0
_BATCH_ENTRIES = 200
_BATCHED = ("params", "metrics", "tags")
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)


class _RunIsGone(Exception):
    """MLflow takes no more of a run."""


class Delivery:
    """Sends one journal to one destination and remembers how far it got. Not safe for threads by itself."""

    def __init__(self, destination: Destination, journal: Path) -> None:
        self._destination = destination
        self._journal = journal
        self._cursor = read_cursor(journal, destination.name)
        self._pending: list[Entry] = []
        self._sent_at = 0.0
        self._versions: dict[int, str] = {}
        self._is_unwanted = False
        self._kept: set[int] = set()
        self.gone: list[str] = []
        self.refused: list[str] = []

    @property
    def mlflow_id(self) -> str:
        return self._cursor.mlflow_id

    @property
    def waiting(self) -> int:
        """Entries that the server has not got."""
        return len(self._pending)

    def page(self, server: str) -> str:
        """Address of the run on an MLflow server; empty while the run is unknown there."""
        if not self.mlflow_id:
            return ""
        return run_page(server, self._cursor.experiment_id, self.mlflow_id)

    def file_page(self, server: str, path: str) -> str:
        """Address of a page that shows a file of the run; empty while the run is unknown there."""
        return file_page(server, self._cursor.experiment_id, self.mlflow_id, path) if self.mlflow_id else ""

    def file_address(self, server: str, path: str) -> str:
        """Address of the bytes of a file of the run; empty while the run is unknown there."""
        return file_address(server, self.mlflow_id, path) if self.mlflow_id else ""

    def version_of(self, number: int) -> str:
        """Registry version of the adapter of an entry; empty while there is none."""
        return self._versions.get(number, "")

    def for_journal(self, journal: Path) -> "Delivery":
        return Delivery(self._destination, journal)

    def add(self, entry: Entry) -> None:
        """Queue an entry, and send the queue when it is due."""
        self._pending.append(entry)
        if len(self._pending) >= DUE_ENTRIES or time.monotonic() - self._sent_at >= DUE_SECONDS:
            self.flush()

    def load_missed(self) -> int:
        """Queue what the journal holds and the server has not got; how many entries that are."""
        entries = read_journal(self._journal)
        self._pending = entries[self._cursor.delivered :]
        if not self._pending and entries and entries[-1].kind == "finish":
            note_delivered(self._journal, self._destination.name)
        return len(self._pending)

    def flush(self) -> bool:
        """Send the queue; False when the server is away, and then the queue stays as it is."""
        from mlflow.exceptions import MlflowException

        if self._destination.is_away:
            return False
        self._sent_at = time.monotonic()
        try:
            self._send_pending()
        except (MlflowException, OSError) as error:
            self._destination.mark_away(error)
            return False
        self._destination.mark_back()
        return True

    def settle(self) -> None:
        """Wait for what is under way: nothing here, where everybody waits."""

    def _send_pending(self) -> None:
        while self._pending:
            self._ensure_run()
            chunk = next(_chunks(self._pending))
            try:
                self._send_chunk(chunk)
            except _RunIsGone:
                self._take_up_again()
                continue
            self._cursor.delivered = chunk[-1].number + 1
            write_cursor(self._journal, self._cursor)
            self._pending = self._pending[len(chunk) :]
            for entry in chunk:
                self._drop_file(entry)
            if chunk[-1].kind == "finish":
                note_delivered(self._journal, self._destination.name)

    def _send_chunk(self, chunk: Sequence[Entry]) -> None:
        from mlflow.exceptions import MlflowException

        if self._is_unwanted:
            return
        try:
            self._send(chunk)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            self._kept.add(chunk[0].number)
            logger.warning(
                "MLflow's folder of files cannot be written (%s); what was for it stays in %s.",
                error, files_folder(self._journal),
            )  # fmt: skip
        except MlflowException as error:
            if not is_refusal(error):
                raise
            if self._destination.stages(self._cursor)[0] != ACTIVE:
                raise _RunIsGone from error
            if len(chunk) > 1:
                for entry in chunk:
                    self._send_chunk([entry])
                return
            self.refused.append(f"{chunk[0].kind} {chunk[0].number}")
            logger.warning("MLflow refused a %s entry: %s", chunk[0].kind, first_line(error))

    def _send(self, chunk: Sequence[Entry]) -> None:
        client, run_id = self._destination.client, self._cursor.mlflow_id
        entry = chunk[0]
        if entry.kind in _BATCHED:
            send_batch(client, run_id, chunk)
            return
        if (file := self._file(entry)) is not None and not file.exists():
            self.gone.append(file.name)
            return
        version = send_alone(client, self._cursor.experiment_id, run_id, entry, self._journal.parent)
        if version:
            self._versions[entry.number] = version

    def _take_up_again(self) -> None:
        """Go on where a run is no more.

        Whoever deletes one run wants no more of it. Gone with its experiment, or for good, it was one of
        many: it is recorded anew.
        """
        if self._destination.stages(self._cursor) == (DELETED, ACTIVE):
            logger.warning("A run was deleted in MLflow: no more of it is sent; %s keeps all.", self._journal)
            self._is_unwanted = True
            return
        logger.warning(
            "A run is gone from MLflow, with its experiment or for good: it is recorded anew, but for the "
            "files that it had sent."
        )
        self._destination.forget_experiments()
        self._cursor = Cursor(self._destination.name)
        self._pending = read_journal(self._journal)

    def _ensure_run(self) -> None:
        from mlflow.exceptions import MlflowException

        if self._cursor.mlflow_id:
            return
        try:
            self._find_run()
        except MlflowException as error:
            if not is_refusal(error):
                raise
            self._destination.forget_experiments()  # this one was deleted since it was looked up
            self._find_run()

    def _find_run(self) -> None:
        start = read_start(self._journal)
        self._cursor.experiment_id = self._destination.experiment(start.data["experiment"])
        self._cursor.mlflow_id = find_or_create_run(self._destination, self._journal)
        write_cursor(self._journal, self._cursor)

    def _file(self, entry: Entry) -> Path | None:
        name = entry.data.get("file")
        return self._journal.parent / name if name else None

    def _drop_file(self, entry: Entry) -> None:
        file = self._file(entry)
        if file is not None and entry.number not in self._kept:
            shutil.rmtree(file.parent, ignore_errors=True)  # MLflow has it; a copy that stays does no harm


def _chunks(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Split entries, in order, into runs of small ones that go in one request and single others."""
    chunk: list[Entry] = []
    for entry in entries:
        if entry.kind in _BATCHED and len(chunk) < _BATCH_ENTRIES:
            chunk.append(entry)
            continue
        if chunk:
            yield chunk
        chunk = [entry] if entry.kind in _BATCHED else []
        if not chunk:
            yield [entry]
    if chunk:
        yield chunk
