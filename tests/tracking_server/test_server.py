"""A real MLflow server over a SQLite store, killed in the middle of a run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from blip_core.errors import TrackingError
from blip_core.tracking import (
    MlflowTracker,
    Registry,
    prepare_store,
    quiet_environment,
    replay,
    server_command,
)
from blip_core.tracking.registry import folder_digest

START_SECONDS = 120


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A store without runs: making one takes seconds."""
    home = tmp_path_factory.mktemp("prepared") / "mlflow"
    prepare_store(home)
    return home


@pytest.fixture
def home(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "mlflow")


@contextmanager
def serving(home, port):
    log = (home / "server.log").open("ab")
    process = subprocess.Popen(
        server_command(home, port),
        env=os.environ | quiet_environment(),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}/health", home)
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        log.close()


def _wait_until_up(process, address, home):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, (home / "server.log").read_text()
        try:
            with urlopen(address, timeout=5):  # noqa: S310 - our own server on loopback
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise AssertionError((home / "server.log").read_text())


def _history(client, run_id, key):
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


def test_a_server_killed_mid_run_gets_every_metric_exactly_once_in_the_end(tmp_path, home, port, monkeypatch):
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)
    uri = f"http://127.0.0.1:{port}"
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    tracker = MlflowTracker(uri, tmp_path / "journal")

    with serving(home, port):
        run = tracker.start("gallery", "interrupted", {})
        for step in range(5):
            run.metrics({"train/loss": 1.0 / (step + 1)}, step=step)
        run.flush()
    for step in range(5, 10):
        run.metrics({"train/loss": 1.0 / (step + 1)}, step=step)
    version = run.adapter(adapter, "gallery-adapter", {"eval/accuracy": 0.75})
    child = run.child("finetuned")
    child.metrics({"eval/accuracy": 0.75})
    child.finish()
    run.finish()
    assert version == ""
    assert child.mlflow_id == ""

    with serving(home, port):
        done = replay(tmp_path / "journal", uri)
        again = replay(tmp_path / "journal", uri)
        (
            tmp_path / "journal" / f"{run.id}.sent.json"
        ).unlink()  # as if it had died before noting what it sent
        replay(tmp_path / "journal", uri)
        client = MlflowClient(uri, registry_uri=uri)
        stored = client.get_run(run.mlflow_id)
        experiment = stored.info.experiment_id
        (stored_child,) = client.search_runs([experiment], "attributes.run_name = 'finetuned'")
        aliases = dict(client.get_registered_model("gallery-adapter").aliases)

        assert (done.left, again.entries) == (0, 0)
        assert _history(client, run.mlflow_id, "train/loss") == [
            (step, 1.0 / (step + 1)) for step in range(10)
        ]
        assert _history(client, stored_child.info.run_id, "eval/accuracy") == [(0, 0.75)]
        assert stored_child.data.tags["mlflow.parentRunId"] == run.mlflow_id
        assert len(client.search_runs([experiment])) == 2
        assert aliases == {"candidate": "1"}
        assert stored.info.status == "FINISHED"


DYING = """
import os, signal, sys
from pathlib import Path
from blip_core.tracking import MlflowTracker
run = MlflowTracker(sys.argv[1], Path(sys.argv[2])).start("gallery", "killed", {})
child = run.child("finetune")
for step in range(8):
    child.metrics({"train/loss": 1.0 / (step + 1)}, step=step)
    if step == 3:
        child.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
LOSSES = [(step, 1.0 / (step + 1)) for step in range(8)]


def _die_in_the_middle_of_a_run(uri, journal):
    command = [sys.executable, "-c", DYING, uri, str(journal)]
    return subprocess.run(command, check=False).returncode


def _runs_by_name(client):
    (experiment,) = [one for one in client.search_experiments() if one.name == "gallery"]
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_what_a_server_missed_and_what_was_killed_is_told_once_when_the_next_run_begins(
    tmp_path, home, port, monkeypatch
):
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)
    journal, uri = tmp_path / "journal", f"http://127.0.0.1:{port}"
    with serving(home, port):
        assert _die_in_the_middle_of_a_run(uri, journal) == -signal.SIGKILL

    away = MlflowTracker(uri, journal).start("gallery", "away", {})
    for step, loss in LOSSES:
        away.metrics({"train/loss": loss}, step=step)
    away.finish()
    assert away.mlflow_id == ""

    with serving(home, port):
        tracker = MlflowTracker(uri, journal)
        done = tracker.catch_up()
        tracker.start("gallery", "next", {}).finish()
        again = tracker.catch_up()
        client = MlflowClient(uri, registry_uri=uri)
        runs = _runs_by_name(client)
        statuses = {name: run.info.status for name, run in runs.items()}
        histories = [_history(client, runs[name].info.run_id, "train/loss") for name in ("finetune", "away")]

    assert (done.left, again.entries) == (0, 0)
    assert statuses == {"killed": "KILLED", "finetune": "KILLED", "away": "FINISHED", "next": "FINISHED"}
    assert histories == [LOSSES, LOSSES]


def test_an_adapter_is_found_by_alias_and_fetched_through_a_server_and_its_absence_is_named(
    tmp_path, home, port, monkeypatch
):
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)
    uri = f"http://127.0.0.1:{port}"
    adapter, got = tmp_path / "adapter", tmp_path / "got"
    adapter.mkdir()
    got.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    with serving(home, port):
        run = MlflowTracker(uri, tmp_path / "journal").start("gallery", "tuned", {})
        run.adapter(adapter, "gallery-adapter", {}, digest="abc", champion=True)
        run.finish()
        found = Registry(uri).find("models:/gallery-adapter@champion")
        Registry(uri).fetch(found, got)
    assert (found.digest, found.uri) == ("abc", "models:/gallery-adapter/1")
    assert folder_digest(got) == folder_digest(adapter)
    with pytest.raises(TrackingError, match=f"MLflow at {uri} does not give the adapter"):
        Registry(uri).find("models:/gallery-adapter@champion")
