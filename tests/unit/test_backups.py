"""Backups: whole or none, put back where nothing is, and equal to what they were made of."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from blip_core import strict_json
from blip_core.backups import Database, Kept, forget_older, make_backup, restore_backup
from blip_core.errors import BackupError, PlaceError
from blip_core.store import Store


def write_rows(file, *rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS runs (name)")
        connection.executemany("INSERT INTO runs VALUES (?)", [(row,) for row in rows])
        connection.commit()


def rows_of(file):
    with closing(sqlite3.connect(file)) as connection:
        return [row for (row,) in connection.execute("SELECT name FROM runs")]


def kept_at(home):
    databases = [
        Database(name, home / name / f"{name}.db", "", name.upper()) for name in ("mlflow", "prefect")
    ]
    folders = {"journal": home / "journal", "artifacts": home / "mlflow" / "artifacts"}
    files = {"checkpoints.lock": home / "checkpoints.lock"}
    return Kept(databases, folders, files, Store(home / "store"))


@pytest.fixture
def lived_in(tmp_path):
    """A place with two runs, and one artefact."""
    home = tmp_path / "home"
    write_rows(home / "mlflow" / "mlflow.db", "one", "two")
    write_rows(home / "prefect" / "prefect.db", "flow")
    for path in ("journal/a.jsonl", "journal/b.jsonl", "mlflow/artifacts/1/report.html", "checkpoints.lock"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(path)
    kept = kept_at(home)
    kept.store.publish(kept.store.key("scenes", {}), "scenes", lambda folder: {"rows": 3})
    return kept


def test_what_is_restored_equals_what_was_kept(lived_in, tmp_path):
    made = make_backup(lived_in, tmp_path / "backups")
    new = kept_at(tmp_path / "new")
    restored = restore_backup(new, tmp_path / "backups")

    assert made.databases == restored.databases == ["mlflow.db", "prefect.db"]
    assert (made.journals, made.artifacts) == (restored.journals, restored.artifacts) == (2, 1)
    assert rows_of(new.databases[0].file) == ["one", "two"]
    assert rows_of(new.databases[1].file) == ["flow"]
    for name, folder in new.folders.items():
        there = {path.relative_to(folder): path.read_text() for path in folder.rglob("*") if path.is_file()}
        assert there == {
            path.relative_to(lived_in.folders[name]): path.read_text()
            for path in lived_in.folders[name].rglob("*") if path.is_file()
        }  # fmt: skip
    assert restored.missing == [one.key for one in lived_in.store.artifacts()]


def test_a_database_that_is_written_meanwhile_is_kept_at_one_instant(lived_in, tmp_path):
    with closing(sqlite3.connect(lived_in.databases[0].file)) as writer:
        writer.execute("INSERT INTO runs VALUES ('unfinished')")
        made = make_backup(lived_in, tmp_path / "backups")
        writer.commit()
    assert rows_of(made.folder / "mlflow.db") == ["one", "two"]


def test_nothing_is_overwritten(lived_in, tmp_path):
    make_backup(lived_in, tmp_path / "backups")
    with pytest.raises(PlaceError, match="would be overwritten"):
        restore_backup(lived_in, tmp_path / "backups")
    assert rows_of(lived_in.databases[0].file) == ["one", "two"]


def test_a_damaged_backup_is_named_and_nothing_is_restored(lived_in, tmp_path):
    made = make_backup(lived_in, tmp_path / "backups")
    (made.folder / "journal" / "a.jsonl").write_text("changed")
    with pytest.raises(BackupError, match=r"damaged: journal/a\.jsonl"):
        restore_backup(kept_at(tmp_path / "new"), made.folder)
    assert not (tmp_path / "new" / "journal").exists()


def test_a_backup_of_a_newer_version_is_refused(lived_in, tmp_path):
    made = make_backup(lived_in, tmp_path / "backups")
    contents = made.folder / "backup.json"
    told = strict_json.loads(contents.read_text()) | {"format": 2, "foundry": "9.0.0"}
    contents.write_text(strict_json.dumps(told))
    with pytest.raises(BackupError, match=r"blip-foundry 9\.0\.0.*restore it with that version"):
        restore_backup(kept_at(tmp_path / "new"), made.folder)


def test_one_that_is_broken_off_is_none(lived_in, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "copytree", lambda *given, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_backup(lived_in, tmp_path / "backups")
    with pytest.raises(BackupError, match="holds no backup"):
        restore_backup(kept_at(tmp_path / "new"), tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_the_newest_stay(lived_in, tmp_path):
    newest = make_backup(lived_in, tmp_path / "backups").folder
    older = [shutil.copytree(newest, newest.with_name(f"backup-2020010{day}T000000Z")) for day in (1, 2)]
    assert forget_older(tmp_path / "backups", 2) == [older[0]]
    assert newest.exists()
