"""A real Prefect server on a port and a database of its own, which a test can kill and start again."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from blip_core.wiring.servers import HOST, answers
from deployments.local.pages import prefect_command

START_SECONDS = 180
_POLL_SECONDS = 0.2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class PrefectServer:
    """A server whose database outlives its deaths.

    Args:
        home: folder of the database and of the log.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What clients have to find in their environment."""
        return {
            "PREFECT_HOME": str(self._home),
            "PREFECT_API_URL": f"http://{HOST}:{self._port}/api",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
            "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.begin()
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"http://{HOST}:{self._port}/api/health"):
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(_POLL_SECONDS)

    def begin(self) -> None:
        """Start it without waiting."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                prefect_command(self._port),
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it and its children without a warning."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @property
    def _log(self) -> Path:
        return self._home / "server.log"
