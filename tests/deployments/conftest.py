"""A real Prefect server on a free port, set up by our own set-up, and a client that acts as the page does."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from blip_core.launching.guard import ProcessGroups
from blip_core.tracking import prepare_store
from blip_core.wiring.servers import HOST, answers
from deployments.local.pages import prefect_command

PATIENCE_SECONDS = 300  # a bound for a crowded machine, not a measurement


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A Prefect server with a home of its own."""

    api: str
    home: Path
    groups: ProcessGroups
    environment: dict[str, str]

    def call(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        """Status and content of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.api + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        try:
            with urlopen(request) as response:  # noqa: S310
                return response.status, json.loads(response.read() or "null")
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def deployments(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.call("/deployments/filter", {})[1]}

    def start_run(self, deployment: str, **parameters: Any) -> tuple[int, Any]:
        """Start a run as the form of the page does."""
        number = self.deployments()[deployment]["id"]
        return self.call(f"/deployments/{number}/create_flow_run", {"parameters": parameters})

    def wait_for(self, runs: list[str]) -> dict[str, str]:
        """Last state of each run."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            states = {run: self.call(f"/flow_runs/{run}", method="GET")[1]["state"]["type"] for run in runs}
            if set(states.values()) <= final:
                return states
            time.sleep(0.5)
        raise TimeoutError(states)

    def wait_until(self, run: str, types: set[str]) -> dict[str, Any]:
        """The state of a run, once it is of one of these types."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state: dict[str, Any] = self.call(f"/flow_runs/{run}", method="GET")[1]["state"]
            if state["type"] in types:
                return state
            time.sleep(0.5)
        raise TimeoutError(state)

    def set_up(self, *arguments: str) -> None:
        """Set the server up, from a working directory that has nothing to do with ours."""
        command = [sys.executable, "-m", "deployments.set_up", *arguments]
        subprocess.run(command, env=self.environment, cwd=self.home, check=True)

    def log(self, name: str) -> Path:
        return self.home / f"{name}.log"


@pytest.fixture(scope="package")
def server(migrated_prefect, tmp_path_factory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("deployments")
    (home / "prefect").mkdir()
    shutil.copy(migrated_prefect, home / "prefect")
    prepare_store(home / "mlflow")
    port = free_port()
    api = f"http://{HOST}:{port}/api"
    environment = os.environ | {
        "FOUNDRY_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": api,
    }
    with ExitStack() as stack:
        groups = stack.enter_context(ProcessGroups())
        served = Server(api, home, groups, environment)
        log = stack.enter_context(served.log("server").open("wb"))
        groups.start("server", prefect_command(port), environment, log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(f"{api}/health"):
            assert not groups.ended(), served.log("server").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        served.set_up()
        yield served


@pytest.fixture
def worker(server) -> Iterator[None]:
    """A worker of our pool; a process of its own, and so are the runs that it takes."""
    with ProcessGroups() as groups, server.log("worker").open("wb") as log:
        groups.start("worker", [sys.executable, "-m", "deployments.local.worker"], server.environment, log)
        yield
