import sqlite3
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from blip_core.errors import TrackingError
from blip_core.tracking import artifact_root, prepare_store

PREPARE = """
import sys
from pathlib import Path
from blip_core.tracking import prepare_store
prepare_store(Path(sys.argv[1]))
"""


def test_processes_that_prepare_one_store_at_once_all_get_a_sound_one(tmp_path):
    processes = [subprocess.Popen([sys.executable, "-c", PREPARE, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    uri = prepare_store(tmp_path)
    default = MlflowClient(uri).get_experiment("0")
    assert default.artifact_location.startswith(artifact_root(tmp_path).as_uri())


def test_addresses_are_absolute_wherever_one_stands(tmp_path, monkeypatch, home, uri):
    monkeypatch.chdir(home.parent)
    assert prepare_store(home.relative_to(home.parent)) == uri == f"sqlite:///{home}/mlflow.db"


def test_a_damaged_database_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(TrackingError, match=r"mlflow\.db"):
        prepare_store(tmp_path)
