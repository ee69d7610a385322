"""What the page for teams says word for word leads from two clean hosts to a run on both of them."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.apart import folder_of_hosts, played
from tests.deployments.two_hosts import PASSWORDS

TOOLS = ("unshare", "nsenter", "setpriv", "ip", "mount", "curl", "make")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,  # so that `make test-team` alone works it
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with folder_of_hosts("team-") as made:
        yield made


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    missing += [name for name in ("psycopg", "obstore", "moto") if find_spec(name) is None]
    assert os.getuid() == 0, "takes root, for two networks: make test-team"
    assert missing == []
    answer = played("tests.deployments.two_hosts", folder)
    sys.stdout.write(f"seconds: { ({step: one['seconds'] for step, one in answer.items()}) }\n")
    return answer


def test_each_line_does_what_it_says(told: dict[str, Any]):
    assert {step: one["said"] for step, one in told.items() if one["code"]} == {}
    assert told["doctor"]["said"].splitlines()[-1] == "All is well."
    assert "Deployed to http://servers.example:4200/deployments" in told["deploy"]["said"]
    assert "Flow run finished successfully" in told["worker's run"]["said"]


def test_a_person_takes_what_the_worker_made_and_is_led_to_the_servers_pages(told: dict[str, Any]):
    said = told["person's run"]["said"]
    stages = re.findall(r"✓ .*", said)
    assert len(stages) == 9
    assert all("cached" in stage for stage in stages)
    assert "http://servers.example:4200 (Prefect), http://servers.example:5000 (MLflow)" in said


def test_both_runs_stand_in_mlflow_and_lead_to_prefect(told: dict[str, Any]):
    assert told["runs"]["said"].splitlines() == ["FINISHED http://servers.example:4200 True"] * 2


def test_no_password_stands_in_what_was_said_or_kept_by_those_who_work(folder: Path, told: dict[str, Any]):
    kept = [*(path for path in (folder / "work").rglob("*") if path.is_file()), *folder.glob("work-*.log")]
    assert len(kept) > 50
    secrets = [word.encode() for word in PASSWORDS[1:]]
    assert [path for path in kept if any(secret in path.read_bytes() for secret in secrets)] == []
