"""Journals of a machine that died are sent to MLflow by another, which knows of them by the bucket alone."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from blip_core.store.places.leases import LEASE_S
from blip_core.tracking.journal import read_journal
from blip_core.tracking.sqlite import sqlite_address
from blip_core.wiring import Workplace, workplace
from flows.results.reports import bring_report, find_reports
from flows.results.sharing import SharedRecords, catch_up, dead_owners

pytestmark = pytest.mark.s3

NOBODY = "http://127.0.0.1:9"
STEPS = 6
DYING = """
import os, signal, sys
from pathlib import Path
from blip_core.wiring import workplace
from flows.results.sharing import SharedRecords
place = workplace()
with place.store.in_use("a-1"):
    run = place.tracker().start("taken-over", "killed", {})
    child = run.child("finetune")
    for step in range(int(sys.argv[1])):
        child.metrics({"train/loss": 1.0 / (step + 1)}, step=step)
    page = place.reports / run.id / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("a page")
    child.artifact(page)
    SharedRecords(place, "a-1").save([run.id, child.id])
    child.metrics({"train/loss": 0.0}, step=99)
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""What comes after the last saving is on the dead machine alone."""


@pytest.fixture
def machine(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Workplace]:
    """The place of a machine of some name, whose MLflow is where it is told."""
    monkeypatch.setenv("FOUNDRY_STORE", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def named(name: str, mlflow: str) -> Workplace:
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / name))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow)
        return workplace()

    return named


@pytest.fixture
def mlflow(migrated_mlflow: Callable[[], Path], tmp_path: Path) -> str:
    database = tmp_path / "mlflow.db"
    database.write_bytes(migrated_mlflow().read_bytes())
    return sqlite_address(database)


@pytest.fixture
def dead(machine: Callable[..., Workplace]) -> Workplace:
    """The place of a machine that was killed while MLflow was away."""
    place = machine("a", NOBODY)
    done = subprocess.run([sys.executable, "-c", DYING, str(STEPS)], check=False)
    assert done.returncode < 0
    return place


def wait_until_dead(place: Workplace) -> None:
    until = time.monotonic() + 2 * LEASE_S
    while not dead_owners(place) and time.monotonic() < until:
        time.sleep(0.5)


def told(mlflow: str) -> dict[str, list[tuple[int, float]]]:
    """Runs that MLflow knows by name and state, with every loss that it was told."""
    from mlflow import MlflowClient

    client = MlflowClient(mlflow, registry_uri=mlflow)
    found = client.get_experiment_by_name("taken-over")
    runs = client.search_runs([found.experiment_id]) if found else []
    return {
        f"{run.info.run_name} {run.info.status}": [
            (one.step, one.value) for one in client.get_metric_history(run.info.run_id, "train/loss")
        ]
        for run in runs
    }


@pytest.mark.slow  # a lease has to run out
def test_what_a_dead_machine_left_is_sent_once_by_whoever_runs_next(
    dead: Workplace, machine: Callable[..., Workplace], mlflow: str
):
    losses = [(step, 1.0 / (step + 1)) for step in range(STEPS)]
    away = machine("b", NOBODY)
    catch_up(away, away.tracker())
    assert list(away.journal.glob("*.jsonl")) == []  # its owner may be alive: the lease is not over
    wait_until_dead(away)
    catch_up(away, away.tracker())
    assert len(list(away.journal.glob("*.jsonl"))) == 2  # they wait here, too, and stay in the bucket
    assert dead_owners(away) == ["a-1"]

    place = machine("c", mlflow)
    catch_up(place, place.tracker())
    assert told(mlflow) == {"killed KILLED": [], "finetune KILLED": losses}
    assert place.store.place.shelf.names("journal") == []
    for again in (place, machine("b", mlflow)):
        catch_up(again, again.tracker())
    assert told(mlflow)["finetune KILLED"] == losses

    machine("a", mlflow)  # is up again, and knows more than it had saved
    catch_up(dead, workplace().tracker())
    assert told(mlflow)["finetune KILLED"] == [*losses, (99, 0.0)]
    assert len(told(mlflow)) == 2


@pytest.mark.slow  # a lease has to run out
def test_of_two_machines_one_sends_what_a_third_left(
    dead: Workplace, machine: Callable[..., Workplace], mlflow: str
):
    place = machine("b", mlflow)
    wait_until_dead(place)
    with machine("c", mlflow).store.place.locked("taking-over"):
        catch_up(place, place.tracker())
    assert told(mlflow) == {}
    catch_up(place, place.tracker())
    assert len(told(mlflow)) == 2


def test_the_page_of_a_run_is_brought_to_a_machine_that_asks_for_it(
    dead: Workplace, machine: Callable[..., Workplace]
):
    place = machine("b", NOBODY)
    (listed,) = find_reports(place)
    assert listed.page == ""
    assert Path(bring_report(place, listed.short).page).read_text() == "a page"
    assert find_reports(place)[0].page == str(place.reports / listed.run / "report.html")


def test_journals_that_mlflow_has_whole_leave_the_bucket(machine: Callable[..., Workplace], mlflow: str):
    place = machine("a", mlflow)
    run = place.tracker().start("taken-over", "whole", {})
    shared = SharedRecords(place, "a-1")
    shared.save([run.id])
    assert place.store.place.shelf.names("journal") == ["a-1"]
    run.finish()
    shared.end([run.id], run.is_delivered)
    assert place.store.place.shelf.names("journal") == []
    assert read_journal(place.journal / f"{run.id}.jsonl")[-1].kind == "finish"


def test_a_bucket_that_is_away_costs_a_warning(
    machine: Callable[..., Workplace], mlflow: str, monkeypatch: pytest.MonkeyPatch, caplog
):
    from blip_core.errors import StoreError
    from blip_core.store.places.shelf import Shelf

    def away(*_: object) -> None:
        raise StoreError("the object store does not answer")

    place = machine("a", mlflow)
    run = place.tracker().start("taken-over", "alone", {})
    for name in ("save", "names"):
        monkeypatch.setattr(Shelf, name, away)
    SharedRecords(place, "a-1").save([run.id])
    catch_up(place, place.tracker())
    assert "on this machine alone" in caplog.text
    assert "waits for another time" in caplog.text
    run.finish()
