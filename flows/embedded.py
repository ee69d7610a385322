"""A Prefect server for one run, which outlives nobody: not even a run that is killed while it starts.

Prefect would start the same by itself; but to do so it loads the whole server into the run, too.
"""

import atexit
import socket
import subprocess
import sys
import time

from blip_core.errors import FoundryError
from blip_core.wiring import library_environment
from flows.guard import Lifeline
from flows.servers import HOST, answers

STARTUP_SECONDS = 120.0  # two to four seconds on free cores
_ENDING_SECONDS = 5.0
_POLL_SECONDS = 0.1
_SERVER = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--log-level", "error"]
_ALONE = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


class EmbeddedServer:
    """A server that is starting; what has to be loaded meanwhile may as well be.

    Attributes:
        api: address of its API.
    """

    def __init__(self) -> None:
        port = _free_port()
        self.api = f"http://{HOST}:{port}/api"
        guard = Lifeline()  # first, so that the server is without one for an instant only
        self._process = subprocess.Popen(
            [sys.executable, *_SERVER, "--host", HOST, "--port", str(port)],
            env=library_environment() | _ALONE,
        )
        guard.hold(self._process.pid)
        atexit.register(self._end)

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            FoundryError: It ended, or did not answer within `STARTUP_SECONDS`.
        """
        deadline = time.monotonic() + STARTUP_SECONDS
        while not answers(f"{self.api}/health"):
            if self._process.poll() is not None:
                raise FoundryError(f"the embedded Prefect server ended with code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise FoundryError(
                    f"the embedded Prefect server did not answer within {STARTUP_SECONDS:.0f} s; "
                    "start `foundry ui` in another terminal, whose server runs use"
                )
            time.sleep(_POLL_SECONDS)

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
