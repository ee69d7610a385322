"""A real MLflow server over a SQLite store, killed in the middle of a run."""

import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from blip_core.errors import TrackingError
from blip_core.tracking import (
    MlflowTracker,
    Registry,
    prepare_store,
    quiet_environment,
    replay,
)
from blip_core.tracking.registry import folder_digest
from tests.tracking_server.serving import serving

pytestmark = pytest.mark.slow


def _history(client, run_id, key):
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


DYING = """
import os, signal, sys
from pathlib import Path
from blip_core.tracking import MlflowTracker
run = MlflowTracker(sys.argv[1], Path(sys.argv[2])).start("killed", "killed", {})
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


@dataclass
class Lives:
    """What happened while a server was up, killed in the middle, and before it was up again.

    Each experiment is of one test alone, and so is its journal.
    """

    uri: str
    folder: Path
    interrupted: Any = None
    unsent: list[str] = field(default_factory=list)
    death: int = 0
    found: Any = None
    absence: str = ""

    def journal(self, experiment: str) -> Path:
        return self.folder / experiment

    def tracker(self, experiment: str) -> MlflowTracker:
        return MlflowTracker(self.uri, self.journal(experiment))

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri, registry_uri=self.uri)

    def while_it_is_up(self) -> None:
        self.interrupted = self.tracker("interrupted").start("interrupted", "interrupted", {})
        for step in range(5):
            self.interrupted.metrics({"train/loss": 1.0 / (step + 1)}, step=step)
        self.interrupted.flush()
        self.death = _die_in_the_middle_of_a_run(self.uri, self.journal("killed"))
        run = self.tracker("tuned").start("tuned", "tuned", {})
        run.adapter(self.folder / "adapter", "tuned-adapter", {}, digest="abc", champion=True)
        run.finish()
        self.found = Registry(self.uri).find("models:/tuned-adapter@champion")
        (self.folder / "got").mkdir()
        Registry(self.uri).fetch(self.found, self.folder / "got")

    def while_it_is_away(self) -> None:
        for step in range(5, 10):
            self.interrupted.metrics({"train/loss": 1.0 / (step + 1)}, step=step)
        version = self.interrupted.adapter(
            self.folder / "adapter", "interrupted-adapter", {"eval/accuracy": 0.75}
        )
        child = self.interrupted.child("finetuned")
        child.metrics({"eval/accuracy": 0.75})
        child.finish()
        self.interrupted.finish()
        away = self.tracker("killed").start("killed", "away", {})
        for step, loss in LOSSES:
            away.metrics({"train/loss": loss}, step=step)
        away.finish()
        self.unsent = [version, child.mlflow_id, away.mlflow_id]
        with pytest.raises(TrackingError) as absent:
            Registry(self.uri).find("models:/tuned-adapter@champion")
        self.absence = str(absent.value)


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """A server that was killed while runs went on, and is up again."""
    folder = tmp_path_factory.mktemp("lives")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
    home = folder / "mlflow"
    prepare_store(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lives = Lives(f"http://127.0.0.1:{port}", folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quiet_environment().items():
            patch.setenv(name, value)
        with serving(home, port):
            lives.while_it_is_up()
        lives.while_it_is_away()
        with serving(home, port):
            yield lives


def test_a_server_killed_mid_run_gets_every_metric_exactly_once_in_the_end(lives):
    run, journal = lives.interrupted, lives.journal("interrupted")
    done = replay(journal, lives.uri)
    again = replay(journal, lives.uri)
    (journal / f"{run.id}.sent.json").unlink()  # as if it had died before noting what it sent
    replay(journal, lives.uri)
    stored = lives.client.get_run(run.mlflow_id)
    experiment = stored.info.experiment_id
    (child,) = lives.client.search_runs([experiment], "attributes.run_name = 'finetuned'")

    assert lives.unsent == [""] * 3
    assert (done.left, again.entries) == (0, 0)
    losses = [(step, 1.0 / (step + 1)) for step in range(10)]
    assert _history(lives.client, run.mlflow_id, "train/loss") == losses
    assert _history(lives.client, child.info.run_id, "eval/accuracy") == [(0, 0.75)]
    assert child.data.tags["mlflow.parentRunId"] == run.mlflow_id
    assert len(lives.client.search_runs([experiment])) == 2
    assert dict(lives.client.get_registered_model("interrupted-adapter").aliases) == {"candidate": "1"}
    assert stored.info.status == "FINISHED"


def test_what_a_server_missed_and_what_was_killed_is_told_once_when_the_next_run_begins(lives):
    tracker = lives.tracker("killed")
    done = tracker.catch_up()
    tracker.start("killed", "next", {}).finish()
    again = tracker.catch_up()
    experiment = lives.client.get_experiment_by_name("killed").experiment_id
    runs = {run.info.run_name: run for run in lives.client.search_runs([experiment])}

    assert lives.death == -signal.SIGKILL
    assert (done.left, again.entries) == (0, 0)
    statuses = {name: run.info.status for name, run in runs.items()}
    assert statuses == {"killed": "KILLED", "finetune": "KILLED", "away": "FINISHED", "next": "FINISHED"}
    for name in ("finetune", "away"):
        assert _history(lives.client, runs[name].info.run_id, "train/loss") == LOSSES


def test_an_adapter_is_found_by_alias_and_fetched_through_a_server_and_its_absence_is_named(lives):
    assert (lives.found.digest, lives.found.uri) == ("abc", "models:/tuned-adapter/1")
    assert folder_digest(lives.folder / "got") == folder_digest(lives.folder / "adapter")
    assert f"MLflow at {lives.uri} does not give the adapter" in lives.absence
