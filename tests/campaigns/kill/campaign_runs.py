"""Whole runs against one Prefect server and one MLflow are killed; each time the next one completes."""

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.campaigns.kill.conftest import Campaign
from tests.faults.doubles import small_recipe
from tests.faults.forge import Forge
from tests.faults.instants import read_instants
from tests.faults.mlflow_runs import statuses
from tests.faults.processes import left_over
from tests.faults.runs import NOTE, WORK, digests
from tests.faults.serving import PrefectServer

MOST_KILLS_IN_A_ROW = 3


@pytest.fixture(scope="module")
def job(server: PrefectServer, models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"home": str(tmp_path_factory.mktemp("home")), "overrides": small_recipe(models)}


def kill_after(forge: Forge, job: dict[str, Any], seconds: float) -> int:
    run = forge.start(WORK, **job)
    time.sleep(seconds)
    os.kill(run, signal.SIGKILL)
    return forge.wait(run)


def test_whole_runs_are_killed(forge: Forge, job: dict[str, Any], campaign: Campaign):
    draw, home = random.Random(campaign.seed), Path(job["home"])
    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    undisturbed, instants = digests(home), read_instants(home / NOTE)
    shutil.rmtree(home / "store")
    began = time.monotonic()
    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    seconds = time.monotonic() - began

    killed, whole = 0, 2
    while killed < campaign.run_kills:
        shutil.rmtree(home / "store")
        for _ in range(draw.randint(1, MOST_KILLS_IN_A_ROW)):
            at_a_point = draw.random() < 0.5
            code = (
                forge.run(WORK, **job, fatal=draw.choice(instants))
                if at_a_point
                else kill_after(forge, job, draw.uniform(0, seconds))
            )
            assert code in (0, -signal.SIGKILL), forge.log.read_text()
            killed, whole = killed + (code < 0), whole + (code == 0)
            assert left_over(forge.group, home) == []
        assert forge.run(WORK, **job) == 0, forge.log.read_text()
        whole += 1
        assert digests(home) == undisturbed
        assert left_over(forge.group, home) == []
    told = statuses(home)
    assert set(told) <= {"FINISHED", "KILLED"}
    assert told["FINISHED"] >= whole  # one may be killed behind its last word
    assert told["KILLED"] <= killed  # one may be killed before its first
