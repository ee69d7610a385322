"""A real MLflow server over a SQLite store."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from blip_core.tracking import quiet_environment, server_command, server_environment, sqlite_address

START_SECONDS = 120


@contextmanager
def serving(home: Path, port: int) -> Iterator[None]:
    log = (home / "server.log").open("ab")
    process = subprocess.Popen(
        server_command(home, port),
        env=os.environ | quiet_environment() | server_environment(sqlite_address(home / "mlflow.db")),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}/health", home)
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        log.close()


def _wait_until_up(process: subprocess.Popen[bytes], address: str, home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, (home / "server.log").read_text()
        try:
            with urlopen(address, timeout=5):  # noqa: S310 - our own server on loopback
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise AssertionError((home / "server.log").read_text())
