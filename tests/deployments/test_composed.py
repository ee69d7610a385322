"""The services of compose.yaml, started by hand, carry a run from end to end, and nothing of them is left."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.apart import WORLD, folder_of_hosts, played
from tests.deployments.composed import SECRETS

TOOLS = ("unshare", "setpriv", "ip", "mount", "curl")
CAN = (
    os.getuid() == 0
    and find_spec("psycopg") is not None
    and all(map(shutil.which, TOOLS))
    and any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    and subprocess.run([*WORLD, "true"], capture_output=True, check=False).returncode == 0
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,  # so that `make test-composed` alone works it
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with folder_of_hosts("composed-") as made:
        yield made


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    assert CAN, "takes root, namespaces, PostgreSQL's programs and the extra postgres: make test-composed"
    return played("tests.deployments.composed", folder)


def test_a_run_that_is_started_on_the_server_is_done_by_the_worker(told: dict[str, Any]):
    assert told["code"] == 0, told["said"]
    assert told["runs"]["statuses"] == ["FINISHED"], told["error"]
    assert told["runs"]["files"] > 0


def test_strangers_learn_nothing_from_either_server(told: dict[str, Any]):
    assert told["strangers"] == {"prefect": "401", "mlflow": "401"}


def test_no_secret_stands_in_what_is_kept(folder: Path, told: dict[str, Any]):
    secrets = {secret.rpartition(":")[2].encode() for secret in SECRETS.values()}
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name != "password"]
    assert len(kept) > 50
    assert [path for path in kept if any(secret in path.read_bytes() for secret in secrets)] == []


def test_nothing_is_left_running(told: dict[str, Any], folder: Path):
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert [line for line in listed.splitlines() if str(folder) in line and "ps -eo" not in line] == []
