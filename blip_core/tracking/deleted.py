"""Experiments that somebody deleted in MLflow, and that runs were to be recorded in."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from blip_core.connecting import without_password
from blip_core.errors import TrackingError
from blip_core.tracking.journal import journals, read_start
from blip_core.tracking.sqlite import sqlite_path

_DELETED = "SELECT name, experiment_id FROM experiments WHERE lifecycle_stage = 'deleted'"


def deleted_experiments(uri: str) -> dict[str, str]:
    """Names of the deleted experiments of an MLflow with their ids; none where it has no tables yet.

    Raises:
        TrackingError: It cannot be asked.
    """
    database = sqlite_path(uri)
    return _in_database(database) if database else _on_server(uri)


def recorded_experiments(folder: Path) -> set[str]:
    """Names of the experiments of the runs whose journals lie in a folder; damaged ones are left out."""
    return set(_named(journals(folder)))


def _named(paths: Iterable[Path]) -> Iterable[str]:
    for path in paths:
        try:
            yield str(read_start(path).data["experiment"])
        except (TrackingError, KeyError):
            continue


def _in_database(database: Path) -> dict[str, str]:
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return {str(name): str(number) for name, number in connection.execute(_DELETED)}
    except sqlite3.OperationalError:  # no database, or no tables of MLflow's
        return {}


def _on_server(uri: str) -> dict[str, str]:
    from mlflow import MlflowClient
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException

    try:
        found = MlflowClient(uri).search_experiments(ViewType.DELETED_ONLY)
    except (MlflowException, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingError(without_password(f"MLflow at {uri} cannot be asked: {reason}")) from error
    return {one.name: str(one.experiment_id) for one in found}
