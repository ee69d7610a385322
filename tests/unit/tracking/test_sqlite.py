import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from blip_core.errors import TrackingError
from blip_core.tracking import MlflowTracker, artifact_root, prepare_store, sqlite
from blip_core.tracking.sqlite import schema_of


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


def revise(database, revision):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()


@pytest.fixture
def own(pristine, tmp_path):
    """A sound store of this test alone."""
    shutil.copytree(pristine, tmp_path / "mlflow")
    return tmp_path / "mlflow"


def test_half_of_a_new_database_that_a_killed_process_left_is_made_anew(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_migrate", killed_in_the_middle)
        with pytest.raises(KeyboardInterrupt):
            prepare_store(tmp_path)
    assert not (tmp_path / "mlflow.db").exists()
    prepare_store(tmp_path)
    assert schema_of(tmp_path / "mlflow.db")
    assert list(tmp_path.glob("*making*")) == []


def killed_in_the_middle(database, uri):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE experiments (name TEXT)")
        connection.commit()
    raise KeyboardInterrupt


def test_a_database_of_a_newer_mlflow_is_told_as_such(own):
    revise(own / "mlflow.db", "0123456789ab")
    with pytest.raises(TrackingError, match=r"a newer MLflow wrote it.*Move the file away"):
        prepare_store(own)


def test_an_older_database_that_was_put_back_is_upgraded_again(own):
    newest = schema_of(own / "mlflow.db")
    with closing(sqlite3.connect(own / "mlflow.db")) as older:
        for (table,) in older.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            older.execute(f'DROP TABLE "{table}"')
        older.commit()
    prepare_store(own)
    assert schema_of(own / "mlflow.db") == newest


@pytest.mark.parametrize("odd", ["what? & more;x=1", "100%25 #1 [v2]", "홈 it's", "%3F"])
def test_a_store_below_a_folder_of_any_name_holds_runs_and_files(own, tmp_path, odd):
    folder = tmp_path / "odd" / odd
    folder.mkdir(parents=True)
    home = Path(shutil.copytree(own, folder / "mlflow"))
    uri = prepare_store(home)
    run = MlflowTracker(uri, folder / "journal", artifact_root(home)).start("gallery", "odd", {})
    run.artifact(home / "prepared.json", "some files")
    run.finish()
    client = MlflowClient(uri, registry_uri=uri)
    kept = "some files/prepared.json"
    assert [file.path for file in client.list_artifacts(run.mlflow_id, "some files")] == [kept]
    assert len(list(home.rglob("prepared.json"))) == 2
    assert [path.name for path in (tmp_path / "odd").iterdir()] == [odd]
