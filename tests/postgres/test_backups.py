"""Backups of databases in PostgreSQL, by its own tools, restored into empty ones."""

import os
import subprocess
import sys

import pytest
import sqlalchemy

from blip_core.databases import DRIVER, with_driver
from blip_core.tracking import MlflowTracker, artifact_root, prepare_database
from tests.postgres.cluster import PASSWORD

pytestmark = pytest.mark.postgres

VARIABLE = "FOUNDRY_MLFLOW_DATABASE"


def contents(address):
    """All rows of all tables, as text."""
    engine = sqlalchemy.create_engine(with_driver(address, DRIVER))
    tables = sqlalchemy.inspect(engine).get_table_names()
    with engine.connect() as connection:
        return {
            table: sorted(str(row) for row in connection.execute(sqlalchemy.text(f'SELECT * FROM "{table}"')))  # noqa: S608
            for table in tables
        }


def foundry(*arguments, home, mlflow, prefect):
    environment = os.environ | {
        "FOUNDRY_HOME": str(home),
        VARIABLE: mlflow,
        "FOUNDRY_PREFECT_DATABASE": prefect,
    }
    command = [sys.executable, "-m", "flows.cli.app", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_both_databases_come_back_as_they_were_and_are_not_overwritten(new_database, tmp_path):
    home, kept = tmp_path / "home", tmp_path / "kept"
    mlflow, prefect, *empty = [new_database() for _ in range(4)]
    uri = prepare_database(home / "mlflow", mlflow, VARIABLE)
    run = MlflowTracker(uri, home / "journal", artifact_root(home / "mlflow")).start("gallery", "one", {})
    run.metrics({"loss": 1.0}, 1)
    run.finish()

    made = foundry("backup", str(kept), home=home, mlflow=mlflow, prefect=prefect)
    restored = foundry("restore", str(kept), home=tmp_path / "new", mlflow=empty[0], prefect=empty[1])
    again = foundry("restore", str(kept), home=tmp_path / "other", mlflow=empty[0], prefect=empty[1])

    assert (made.returncode, made.stderr) == (0, "")
    assert (restored.returncode, restored.stderr) == (0, "")
    assert contents(empty[0]) == contents(mlflow)
    assert again.returncode == 2
    assert f"records in {VARIABLE}" in again.stderr
    assert [
        path for path in kept.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()
    ] == []
    assert len(list((tmp_path / "new" / "journal").glob("*.jsonl"))) == 1
