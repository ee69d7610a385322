"""Databases of both servers: made once however many ask, and refused in a sentence."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy

from blip_core.databases import DRIVER, connected, revision, with_driver
from blip_core.errors import DatabaseAway, PlaceError, TrackingError
from blip_core.tracking import MlflowTracker, artifact_root, prepare_database
from tests.postgres.cluster import PASSWORD

pytestmark = pytest.mark.postgres

VARIABLE = "FOUNDRY_MLFLOW_DATABASE"
PREPARE = (
    "import sys; from pathlib import Path; from blip_core.tracking import prepare_database; "
    "prepare_database(Path(sys.argv[1]), sys.argv[2], 'ADDRESS')"
)
MIGRATE = (
    "import asyncio; from blip_core.wiring import prepare_environment, workplace; "
    "prepare_environment(workplace()); "
    "from flows.prefect_database import migrate_one_at_a_time; migrate_one_at_a_time(); "
    "from prefect.server.database import provide_database_interface; "
    "asyncio.run(provide_database_interface().create_db())"
)


def tables(address):
    return set(sqlalchemy.inspect(sqlalchemy.create_engine(with_driver(address, DRIVER))).get_table_names())


def at_once(commands, environment=None):
    def run(command):
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(len(commands)) as pool:
        return [(done.returncode, done.stderr) for done in pool.map(run, commands)]


def test_two_machines_that_prepare_mlflows_database_at_once_both_get_a_sound_one(new_database, tmp_path):
    address = new_database()
    done = at_once([[sys.executable, "-c", PREPARE, str(tmp_path / name), address] for name in "ab"])
    assert [code for code, _ in done] == [0, 0], done
    assert {"runs", "metrics", "alembic_version"} <= tables(address)


def test_two_prefect_servers_that_migrate_at_once_both_get_a_sound_database(
    new_database, tmp_path, monkeypatch
):
    address = new_database()
    for name in ("PREFECT_HOME", "PREFECT_API_DATABASE_CONNECTION_URL"):
        monkeypatch.delenv(name, raising=False)
    environment = os.environ | {"FOUNDRY_PREFECT_DATABASE": address, "FOUNDRY_HOME": str(tmp_path)}
    done = at_once([[sys.executable, "-c", MIGRATE]] * 2, environment)
    assert [code for code, _ in done] == [0, 0], done
    assert {"flow_run", "deployment", "alembic_version"} <= tables(address)


def test_a_run_is_recorded_and_no_file_holds_the_password(new_database, tmp_path):
    home = tmp_path / "mlflow"
    uri = prepare_database(home, new_database(), VARIABLE)
    run = MlflowTracker(uri, tmp_path / "journal", artifact_root(home)).start("gallery", "one", {})
    run.metrics({"loss": 1.0}, 1)
    run.finish()
    assert run.mlflow_id
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert kept == []


@pytest.mark.parametrize("plain", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_any_way_to_write_the_address_will_do(plain, cluster):
    address = cluster.address("postgres").replace("postgresql", plain, 1)
    with connected(address, VARIABLE) as connection:
        assert revision(connection) == ""


def refusal(address, kind=PlaceError):
    with pytest.raises(kind) as told:
        prepare_database(None, address, VARIABLE)
    assert PASSWORD not in str(told.value)
    assert str(told.value).startswith(VARIABLE)
    return str(told.value)


def test_what_is_wrong_with_an_address_is_said_in_a_sentence(cluster):
    assert "createdb none" in refusal(cluster.address("none"))
    assert "refuses the login of foundry" in refusal(cluster.address("postgres", "wrong"))


def test_a_server_that_is_away_is_told_once_and_later_taken_to_be_as_it_was(new_database, cluster, tmp_path):
    address = new_database()
    uri = prepare_database(tmp_path, address, VARIABLE)
    cluster.stop()
    try:
        assert prepare_database(tmp_path, address, VARIABLE) == uri
        with pytest.raises(DatabaseAway, match="no PostgreSQL server answers"):
            prepare_database(tmp_path / "another", address, VARIABLE)
    finally:
        cluster.start()


def test_a_database_of_a_newer_mlflow_is_told_as_such(new_database, tmp_path):
    address = new_database()
    prepare_database(tmp_path, address, VARIABLE)
    with connected(address, VARIABLE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    with pytest.raises(TrackingError, match="a newer MLflow wrote it"):
        prepare_database(tmp_path, address, VARIABLE)


def test_without_the_driver_the_extra_is_named(monkeypatch, cluster):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "blip-foundry[postgres]" in refusal(cluster.address("postgres"))
