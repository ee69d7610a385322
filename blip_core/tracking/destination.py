"""One MLflow that journals are sent to: its experiments, its runs, and whether it answered lately."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from blip_core.connecting import without_password
from blip_core.errors import TrackingError
from blip_core.tracking.cursor import Cursor
from blip_core.tracking.journal import read_start
from blip_core.tracking.pages import dress
from blip_core.tracking.sending import RUN_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment
    from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

AWAY_SECONDS = 60.0  # a server that did not answer is not asked again for so long
_REGISTER_LOCK = "register.lock"
ACTIVE, DELETED = "active", "deleted"  # stages in the life of MLflow's runs and experiments
_REFUSALS = (400, 404, 409)  # statuses that will be the same however often one asks


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
                first_line(error),
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


def _if_there(ask: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if not is_refusal(error):
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


def is_refusal(error: "MlflowException") -> bool:
    """Whether MLflow would say the same however often it is asked."""
    return error.get_http_status_code() in _REFUSALS  # type: ignore[no-untyped-call]


def first_line(error: Exception) -> str:
    """What an error says, in a line without passwords."""
    return without_password((str(error).strip().splitlines() or [type(error).__name__])[0])[:200]
