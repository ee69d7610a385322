"""Servers that are started by hand: no login, no strangers; on loopback no name but its own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

PREFECT = ("deployments.local.prefect_server", "server", "start")
MLFLOW = ("deployments.local.mlflow_server",)
LOGINS = ("PREFECT_SERVER_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    return kept | {"FOUNDRY_HOME": str(home)}


@pytest.mark.slow
@pytest.mark.parametrize(("server", "login"), [(PREFECT, LOGINS[0]), (MLFLOW, LOGINS[1])])
def test_a_server_for_other_machines_does_not_start_without_a_login(
    server: tuple[str, ...], login: str, tmp_path: Path
):
    command = [sys.executable, "-m", *server, "--host", "0.0.0.0"]  # noqa: S104 - refused
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"set {login}" in done.stderr
    assert "Traceback" not in done.stderr


def status(port: int, host: str) -> int:
    request = Request(f"http://127.0.0.1:{port}/api/health", headers={"Host": host})
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - of our own making
            return int(answer.status)
    except HTTPError as refused:
        return refused.code
    except URLError:
        return 0


@pytest.mark.slow
def test_prefect_on_loopback_answers_under_its_own_name_alone(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *PREFECT, "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment(tmp_path / "home"), stdout=log, stderr=log)
    try:
        until = time.monotonic() + 240
        while not status(port, f"127.0.0.1:{port}"):
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.5)
        assert status(port, f"127.0.0.1:{port}") == 200
        assert status(port, f"localhost:{port}") == 200
        assert status(port, "evil.example") == 400
    finally:
        server.terminate()
        server.wait(60)
