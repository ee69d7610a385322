"""Whole runs on real servers: killed, or left alone by Prefect's server; the next one completes."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from blip_core.tracking import prepare_store
from tests.faults.doubles import small_recipe
from tests.faults.forge import Forge
from tests.faults.mlflow_runs import statuses
from tests.faults.processes import left_over, wait_until_stopped
from tests.faults.runs import WORK, digests
from tests.faults.serving import PrefectServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def job(server: PrefectServer, models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run of these tests; all share one home, whose MLflow is set up."""
    home = tmp_path_factory.mktemp("home")
    prepare_store(home / "mlflow")
    return {"home": str(home), "overrides": small_recipe(models)}


@pytest.fixture(scope="module")
def undisturbed_run(forge: Forge, job: dict[str, Any]) -> dict[str, Any]:
    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    return digests(Path(job["home"]))


@pytest.fixture(autouse=True)
def empty_store(undisturbed_run: dict[str, Any], job: dict[str, Any]) -> None:
    shutil.rmtree(Path(job["home"]) / "store")


def test_runs_killed_one_after_the_other_leave_a_whole_one_in_the_end(
    forge: Forge, job: dict[str, Any], undisturbed_run: dict[str, Any]
):
    home = Path(job["home"])
    for instant in ("labels-shard publish.moved 2", "finetune progress 1"):
        assert forge.run(WORK, **job, fatal=instant) == -signal.SIGKILL, forge.log.read_text()
        assert left_over(forge.group, home) == []
    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    assert digests(home) == undisturbed_run
    assert left_over(forge.group, home) == []
    assert statuses(home) == {"FINISHED": 2, "KILLED": 2}


def test_a_run_whose_prefect_server_dies_is_completed_by_the_next_on_the_same_database(
    forge: Forge, server: PrefectServer, job: dict[str, Any], undisturbed_run: dict[str, Any]
):
    home = Path(job["home"])
    run = forge.start(WORK, **job, fatal="dataset end 1", number=signal.SIGSTOP)
    wait_until_stopped(run)
    server.kill()
    os.kill(run, signal.SIGCONT)
    server.start()
    forge.wait(run)  # it may have got over it, or not
    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    assert digests(home) == undisturbed_run
    assert left_over(forge.group, home) == []
