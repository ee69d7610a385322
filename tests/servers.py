"""Databases of MLflow and Prefect, whose migrations take seconds, made once; and Prefect's server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blip_core.tracking import sqlite
from tests.made_once import MadeOnce

UPGRADE = (
    "import asyncio; from prefect.server.database import provide_database_interface; "
    "asyncio.run(provide_database_interface().create_db())"
)


@pytest.fixture(scope="session")
def migrated_mlflow(made_once: MadeOnce) -> Callable[[], Path]:
    """Gives a database of MLflow without a run, to be copied."""
    migrate = sqlite._migrate

    def make(folder: Path) -> None:
        migrate(folder / sqlite.DATABASE, sqlite.sqlite_address(folder / sqlite.DATABASE))

    return lambda: made_once("migrated-mlflow", make) / sqlite.DATABASE


@pytest.fixture(scope="session", autouse=True)
def new_homes_get_copies(migrated_mlflow: Callable[[], Path]) -> Iterator[None]:
    """In this process; what is there is upgraded as ever."""
    migrate = sqlite._migrate

    def copied(database: Path, uri: str) -> None:
        if database.exists():
            migrate(database, uri)
        else:
            shutil.copy(migrated_mlflow(), database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_migrate", copied)
        yield


@pytest.fixture(scope="session")
def migrated_prefect(made_once: MadeOnce) -> Path:
    """A database of Prefect's server without a run, to be copied."""

    def make(folder: Path) -> None:
        address = f"sqlite+aiosqlite:///{folder / 'prefect.db'}"
        environment = os.environ | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": address}
        subprocess.run([sys.executable, "-c", UPGRADE], env=environment, check=True)

    return made_once("migrated-prefect", make) / "prefect.db"


@pytest.fixture(scope="session")
def prefect_server(migrated_prefect: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One embedded server for the whole session; results rest in a folder of the session."""
    from prefect.settings import (
        PREFECT_LOCAL_STORAGE_PATH,
        PREFECT_LOGGING_TO_API_ENABLED,
        PREFECT_RESULTS_DEFAULT_SERIALIZER,
        temporary_settings,
    )
    from prefect.testing import utilities

    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(migrated_prefect, home / "prefect-test.db")  # where the harness has it
    settings = {
        PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("prefect-results"),
        PREFECT_LOGGING_TO_API_ENABLED: False,
        PREFECT_RESULTS_DEFAULT_SERIALIZER: "json",  # as `prepare_environment` asks for
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utilities, "mkdtemp", lambda: str(home))
        with utilities.prefect_test_harness(server_startup_timeout=120), temporary_settings(settings):
            yield
