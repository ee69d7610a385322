"""A run that is killed while it starts its own Prefect server leaves no process behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.faults.processes import LONG_ENOUGH_SECONDS, left_over

A_MOMENT_SECONDS = 0.5  # until the guard knows of the server, which takes seconds to answer


def test_a_run_killed_while_its_server_starts_leaves_no_process(tmp_path: Path):
    environment = os.environ | {"FOUNDRY_HOME": str(tmp_path)}
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "flows.cli.app", "run", "gallery-vqa"]
    with (tmp_path / "output").open("wb") as output:
        run = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            wait_for_server(run.pid)
            time.sleep(A_MOMENT_SECONDS)
        finally:
            run.kill()
            run.wait()
    assert left_over(run.pid, tmp_path) == []


def wait_for_server(run: int) -> None:
    """Wait until a run has started its server, which will take long to answer."""
    deadline = time.monotonic() + 4 * LONG_ENOUGH_SECONDS
    while not any("uvicorn" in " ".join(child.cmdline()) for child in psutil.Process(run).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
