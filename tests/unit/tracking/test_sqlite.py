import sqlite3
from contextlib import closing

import pytest

from blip_core.errors import TrackingError
from blip_core.tracking import artifact_root, prepare_store


def test_processes_that_prepare_one_store_at_once_all_get_a_sound_one(home, exit_codes, client):
    assert exit_codes == [0, 0]
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    assert client.get_experiment("0").artifact_location.startswith(artifact_root(home).as_uri())


def test_addresses_are_absolute_wherever_one_stands(tmp_path, monkeypatch, home, uri):
    monkeypatch.chdir(home.parent)
    assert prepare_store(home.relative_to(home.parent)) == uri == f"sqlite:///{home}/mlflow.db"


def test_a_damaged_database_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(TrackingError, match=r"mlflow\.db"):
        prepare_store(tmp_path)
