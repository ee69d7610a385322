"""Sends the entries of a journal to MLflow, in order, any number of times with the same result.

A metric is one row a (run, key, step, timestamp, value) in MLflow's own store, so that sending it again adds
nothing; params, tags and files replace themselves; runs and adapters are looked up before they are made.
"""

import errno
import itertools
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from blip_core.connecting import without_password
from blip_core.errors import TrackingError
from blip_core.tracking.cursor import Cursor, note_delivered, read_cursor, write_cursor
from blip_core.tracking.journal import Entry, files_folder, read_journal, read_start
from blip_core.tracking.pages import dress, file_address, file_page, run_page
from blip_core.tracking.sending import RUN_TAG, send_alone, send_batch

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment
    from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

DUE_ENTRIES = 100
DUE_SECONDS = 5.0
AWAY_SECONDS = 60.0  # a server that did not answer is not asked again for so long
_BATCH_ENTRIES = 200
_BATCHED = ("params", "metrics", "tags")
_REGISTER_LOCK = "register.lock"
ACTIVE, DELETED = "active", "deleted"  # stages in the life of MLflow's runs and experiments
_REFUSALS = (400, 404, 409)  # statuses that will be the same however often one asks
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)


class _RunIsGone(Exception):
    """MLflow takes no more of a run."""


class Destination:
    """One MLflow: a database or a server, its experiments, and whether it answered lately."""

    def __init__(self, uri: str, artifact_root: Path | None = None) -> None:
        self.uri = uri
        self.name = without_password(uri)  # by which journals know it; another password makes no other place
        self.lock = threading.RLock()
        self._artifact_root = artifact_root
        self._experiments: dict[str, str] = {}
        self._client: MlflowClient | None = None
        self._away_until = 0.0

    @property
    def client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        with self.lock:
            if self._client is None:
                self._client = MlflowClient(self.uri, registry_uri=self.uri)
            return self._client

    @property
    def address(self) -> tuple[str, str]:
        """What another process needs to open the same."""
        return self.uri, str(self._artifact_root.resolve()) if self._artifact_root else ""

    @property
    def is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def mark_away(self, error: Exception) -> None:
        """Give the server some time; say so the first time."""
        if not self._away_until:
            logger.warning(
                "MLflow at %s does not answer as it should (%s); the run goes on, its journal keeps what "
                "MLflow misses.",
                self.name,
                _first_line(error),
            )
        self._away_until = time.monotonic() + AWAY_SECONDS

    def ask_again(self) -> None:
        """Let the next delivery try, however short ago the server did not answer."""
        self._away_until = min(self._away_until, time.monotonic())

    def mark_back(self) -> None:
        if self._away_until:
            logger.info("MLflow at %s answers again.", self.name)
        self._away_until = 0.0

    def experiment(self, name: str) -> str:
        """Id of an experiment, which is made if there is none of that name."""
        with self.lock:
            if name not in self._experiments:
                found = self._find_or_create_experiment(name)
                dress(self.client, found)
                self._experiments[name] = found
            return self._experiments[name]

    def stages(self, cursor: Cursor) -> tuple[str, str]:
        """Whether a run and its experiment are active or deleted, in MLflow's words; empty once purged."""
        run = _if_there(lambda: self.client.get_run(cursor.mlflow_id).info)
        experiment = _if_there(lambda: self.client.get_experiment(cursor.experiment_id))
        return _stage(run), _stage(experiment)

    def forget_experiments(self) -> None:
        """Look experiments up again: one of them was deleted meanwhile."""
        with self.lock:
            self._experiments.clear()

    def _find_or_create_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        free, found = self._first_not_deleted(name)
        if found is not None:
            return _id_in(found.experiment_id)
        try:
            return _id_in(self.client.create_experiment(free, artifact_location=self._location(free)))
        except MlflowException as error:
            found = self.client.get_experiment_by_name(free)  # another process may have been quicker
            if found is None:
                raise error
            return str(found.experiment_id)

    def _first_not_deleted(self, name: str) -> tuple[str, "Experiment | None"]:
        """The name under which runs of an experiment are filed, and what is there.

        MLflow keeps the name of a deleted experiment until it is purged. To restore it would bring back what
        somebody wished away, so that the next one bears a number.
        """
        names = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
        for free in names:
            found = self.client.get_experiment_by_name(free)
            if found is None or found.lifecycle_stage != DELETED:
                break
        if free != name:
            logger.warning(
                "The experiment %s was deleted in MLflow: runs are recorded in %s until it is restored "
                "(mlflow experiments restore) or purged (mlflow gc).", name, free,
            )  # fmt: skip
        return free, found

    def _location(self, name: str) -> str | None:
        return (self._artifact_root.resolve() / name).as_uri() if self._artifact_root else None


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
            if not _is_refusal(error):
                raise
            if self._destination.stages(self._cursor)[0] != ACTIVE:
                raise _RunIsGone from error
            if len(chunk) > 1:
                for entry in chunk:
                    self._send_chunk([entry])
                return
            self.refused.append(f"{chunk[0].kind} {chunk[0].number}")
            logger.warning("MLflow refused a %s entry: %s", chunk[0].kind, _first_line(error))

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
            if not _is_refusal(error):
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


def find_or_create_run(destination: Destination, journal: Path) -> str:
    """MLflow's id of the run of a journal, also of one that was deleted; its parents are made first."""
    from mlflow.entities import ViewType

    start = read_start(journal)
    parent_id = _parent_run(destination, journal, start.data["parent"])
    experiment = destination.experiment(start.data["experiment"])
    # Another process may send the children of a run while its own registers it: one of them makes it.
    with destination.lock, FileLock(journal.parent / _REGISTER_LOCK):
        found = destination.client.search_runs(
            [experiment], f"tags.`{RUN_TAG}` = '{journal.stem}'", ViewType.ALL, max_results=1
        )
        if found:
            return str(found[0].info.run_id)
        tags = _start_tags(start.data, journal.stem)
        if parent_id:
            tags["mlflow.parentRunId"] = parent_id
        run = destination.client.create_run(
            experiment, start_time=start.time_ms, tags=tags, run_name=start.data["name"]
        )
        return _id_in(run.info.run_id)


def _parent_run(destination: Destination, journal: Path, parent: str) -> str:
    """MLflow's id of a journal's parent; empty without one, or where the parent's journal was lost."""
    path = journal.with_stem(parent) if parent else None
    if path is None or not path.exists():
        return ""
    try:
        return find_or_create_run(destination, path)
    except TrackingError as damage:
        logger.warning("%s; the runs below it stand alone in MLflow.", damage)
        return ""


def _start_tags(data: Mapping[str, Any], run_id: str) -> dict[str, str]:
    return {**data["tags"], RUN_TAG: run_id}


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


def _if_there(ask: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if not _is_refusal(error):
            raise
        return None


def _id_in(answer: str | None) -> str:
    """What something is called in MLflow; a server of another kind may answer anything, and names nothing."""
    from mlflow.exceptions import MlflowException

    if not answer:
        raise MlflowException("what answers there is not MLflow")
    return str(answer)


def _stage(found: Any) -> str:
    return str(found.lifecycle_stage) if found else ""


def _is_refusal(error: "MlflowException") -> bool:
    return error.get_http_status_code() in _REFUSALS  # type: ignore[no-untyped-call]


def _first_line(error: Exception) -> str:
    return without_password((str(error).strip().splitlines() or [type(error).__name__])[0])[:200]
