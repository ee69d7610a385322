"""Runs that another process sends: they arrive as those that this one sends, and nothing waits for MLflow."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from blip_core.tracking import MlflowTracker, artifact_root, quiet_environment
from blip_core.tracking.apart import Sender
from blip_core.tracking.replaying import Replayed

RECORD = """
import sys
from pathlib import Path
from blip_core.tracking import MlflowTracker
from blip_core.tracking.apart import sender

run = MlflowTracker(sys.argv[1], Path(sys.argv[2]), by=sender()).start("gallery", "apart", {})
run.metrics({"train/loss": 1.0})
run.finish()
print("mlflow" in sys.modules, run.mlflow_id, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def by() -> Iterator[Sender]:
    process = Sender()
    yield process
    process.close()


@pytest.fixture
def apart(uri, home, tmp_path, by):
    return MlflowTracker(uri, tmp_path / "journal", artifact_root(home), by)


def latest_sender() -> psutil.Process:
    """The last that was started: tests before this one may have left that of their whole process."""
    found = [
        one for one in psutil.Process().children() if "blip_core.tracking.sender" in " ".join(one.cmdline())
    ]
    return max(found, key=lambda one: one.create_time())


def test_a_run_arrives_whole_with_its_children_files_and_adapter(apart, client, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights sent from elsewhere")
    apart.load()
    run = apart.start("gallery", "an evening's run", {"who": "Ann"})
    run.params({"seed": 3})
    child = run.child("finetuned")
    child.metrics({"train/loss": 1.0}, step=2)
    child.finish("FAILED")
    run.table([{"id": "x", "ranked": "A"}], "predictions.json")
    version = run.adapter(folder, "apart-adapter", {"eval/accuracy": 0.7})
    run.finish()

    stored, stored_child = client.get_run(run.mlflow_id), client.get_run(child.mlflow_id)
    assert (stored.data.params, stored.data.tags["who"], stored.info.status) == (
        {"seed": "3"},
        "Ann",
        "FINISHED",
    )
    assert (stored_child.data.metrics, stored_child.info.status) == ({"train/loss": 1.0}, "FAILED")
    assert stored_child.data.tags["mlflow.parentRunId"] == run.mlflow_id
    assert [file.path for file in client.list_artifacts(run.mlflow_id)] == ["predictions.json"]
    assert run.is_delivered
    assert child.is_delivered
    assert str(client.get_model_version_by_alias("apart-adapter", "candidate").version) == version
    assert apart.catch_up() == Replayed()


def test_what_the_other_process_warns_of_is_told_here_once(tmp_path, by, monkeypatch, caplog):
    for name, value in {**quiet_environment(), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)
    run = MlflowTracker("http://127.0.0.1:1", tmp_path, by=by).start("gallery", "nobody is there", {})
    run.metrics({"train/loss": 1.0})
    run.finish()
    assert caplog.text.count("its journal keeps what MLflow misses") == 1
    assert (run.mlflow_id, run.is_delivered) == ("", False)


def test_an_answer_that_nobody_waited_for_is_taken_for_no_other(apart, by, home, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights of somebody in haste")
    run = apart.start("gallery", "interrupted", {})
    journal = str(tmp_path / "journal" / f"{run.id}.jsonl")
    by.tell(
        {"do": "ask", "to": [apart.uri, str(artifact_root(home))], "journal": journal, "asked": 0}
    )  # then Ctrl-C came
    assert run.adapter(folder, "hasty-adapter", {"eval/accuracy": 0.7}) == "1"
    run.finish()


def test_a_run_goes_on_when_the_other_process_is_killed_and_nothing_is_lost(apart, client, caplog):
    run = apart.start("gallery", "bereft", {})
    first = run.mlflow_id
    latest_sender().kill()
    run.metrics({"train/loss": 1.0}, step=1)
    run.metrics({"train/loss": 0.5}, step=2)
    run.finish()

    assert not run.is_delivered
    assert caplog.text.count("The process that sends records to MLflow has ended") == 1
    assert apart.catch_up().runs == 1
    assert client.get_run(first).info.status == "FINISHED"
    assert len(client.get_metric_history(first, "train/loss")) == 2


def test_mlflow_is_not_loaded_here_and_the_other_process_ends_with_this_one(uri, tmp_path):
    command = [sys.executable, "-c", RECORD, uri, str(tmp_path / "journal")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        loaded, mlflow_id = process.stdout.readline().split()
        others = psutil.Process(process.pid).children()
        process.kill()
    assert (loaded, bool(mlflow_id), len(others)) == ("False", True, 1)
    assert not psutil.wait_procs(others, 60)[1]
