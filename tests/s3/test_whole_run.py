"""The whole pocket pipeline on a store in a bucket: the same work as on a folder, and nothing of it twice."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient

from blip_core.store import Store
from blip_core.store.places.leases import LEASE_S
from blip_core.tracking import prepare_store
from blip_core.tracking.journal import Entry, read_journal
from tests.s3 import moto
from tests.s3.conftest import Opens
from tests.tracking_server.serving import serving

pytestmark = [pytest.mark.s3, pytest.mark.slow]

SMALL = ["scenes.count=12", "evaluation.limit=8", "finetune.epochs=1"]
SAME = ("scenes", "pictures", "labels", "dataset", "adapter", "predictions")


def run(home: Path, store: str) -> dict[str, bool]:
    """Run the recipe in a home; gives for each stage whether it was taken from the store."""
    overrides = [part for one in SMALL for part in ("--set", one)]
    told = subprocess.run(
        [sys.executable, "-m", "flows.cli.app", "run", "gallery-vqa", "--json", *overrides],
        env=os.environ | {"FOUNDRY_HOME": str(home), "FOUNDRY_STORE": store},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-5000:]
    return {name: stage["cached"] for name, stage in json.loads(told.stdout)["stages"].items()}


def digests(store: Store) -> dict[str, str]:
    return {one.key: one.digest for kind in SAME for one in store.artifacts(kind)}


@pytest.mark.timeout(1800)
def test_a_bucket_gives_what_a_folder_gives_and_another_machine_makes_nothing(
    address: str, opened: Opens, tmp_path: Path
):
    run(tmp_path / "alone", "")
    made = run(tmp_path / "a", address)
    assert not any(made.values())
    assert not (tmp_path / "a" / "store").exists()
    shutil.rmtree(tmp_path / "a")

    assert all(run(tmp_path / "b", address).values())
    shared = opened()
    assert digests(shared) == digests(Store(tmp_path / "alone" / "store"))
    assert shared.place.shelf.names("journal") == []  # MLflow has them whole
    assert len(shared.place.shelf.names("reports")) == 2


def kill_after(line: str, home: Path, store: str) -> None:
    """Begin the run in a home, and kill it once it has said a line."""
    command = [sys.executable, "-u", "-m", "flows.cli.app", "run", "gallery-vqa"]
    with subprocess.Popen(
        [*command, *(part for one in SMALL for part in ("--set", one))],
        env=os.environ | {"FOUNDRY_HOME": str(home), "FOUNDRY_STORE": store},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for one in process.stdout:
            said.append(one)
            if one.startswith(line):
                process.kill()
    assert process.returncode < 0, "".join(said)


def entries_of_ended_stages(journal: Path) -> list[list[Entry]]:
    """What each stage wrote that came to its end."""
    read = [read_journal(path) for path in journal.glob("*.jsonl")]
    return [found for found in read if any("foundry.digest" in one.data.get("values", ()) for one in found)]


@pytest.mark.timeout(1800)
def test_a_run_that_died_while_mlflow_was_away_is_told_by_the_machine_that_goes_on(
    address: str, opened: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    port = moto.free_port()
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    kill_after("✓ labels", tmp_path / "a", address)
    prepare_store(tmp_path / "mlflow")
    time.sleep(LEASE_S)
    with serving(tmp_path / "mlflow", port):
        made = run(tmp_path / "b", address)
        client = MlflowClient(uri, registry_uri=uri)
        (experiment,) = [one for one in client.search_experiments() if one.name == "gallery-vqa"]
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        whole = Counter(run.info.status for run in runs if "mlflow.parentRunId" not in run.data.tags)
        told = Counter(
            (one.key, one.step, one.timestamp, one.value)
            for found in runs
            for name in found.data.metrics
            for one in client.get_metric_history(found.info.run_id, name)
        )
    assert [name for name, cached in made.items() if cached] == ["scenes", "pictures", "labels"]
    assert whole == {"KILLED": 1, "FINISHED": 1}
    ended = entries_of_ended_stages(tmp_path / "a" / "journal")
    written = [
        (name, one.data["step"], one.time_ms, value)
        for found in ended
        for one in found
        if one.kind == "metrics"
        for name, value in one.data["values"].items()
    ]
    assert len(ended) == 3
    assert [one for one in written if told[one] != 1] == []
    assert opened().place.shelf.names("journal") == []
