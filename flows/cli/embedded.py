"""A Prefect server for one run, which outlives nobody: not even a run that is killed while it starts.

Prefect would start the same by itself; but to do so it loads the whole server into the run, too.
"""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import time

from blip_core.errors import FoundryError, PlaceError
from blip_core.launching.guard import OrphanGuard
from blip_core.wiring import PREFECT_FILE, Workplace, library_environment
from blip_core.wiring.servers import HOST, answers

STARTUP_SECONDS = 120.0  # two to four seconds on free cores
_ENDING_SECONDS = 5.0
_POLL_SECONDS = 0.1
_ROOM_BYTES = 8_000_000  # a fresh database of Prefect takes half of it
_SERVER = ["-m", "uvicorn", "--log-level", "error", "--factory"]
_APP = "prefect.server.api.server:create_app"
_APP_ON_POSTGRES = "flows.prefect_database:create_app"  # which loads our library first: a second of CPU
_ALONE = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


class EmbeddedServer:
    """A server that is starting; what has to be loaded meanwhile may as well be.

    Attributes:
        api: address of its API.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place
        port = _free_port()
        app = _APP_ON_POSTGRES if place.prefect_database else _APP
        self.api = f"http://{HOST}:{port}/api"
        guard = OrphanGuard()  # first, so that the server is without one for an instant only
        self._process = subprocess.Popen(
            [sys.executable, *_SERVER, app, "--host", HOST, "--port", str(port)],
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
                raise why_ended(self._place, self._process.returncode)
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


def why_ended(place: Workplace, code: int) -> FoundryError:
    """What most likely kept a server from starting; its own words are a page of SQL."""
    for path in (place.prefect, place.prefect / PREFECT_FILE):
        if path.exists() and not os.access(path, os.W_OK):
            return PlaceError(
                f"{path} cannot be written by this user: mend its permissions, or name another folder in "
                "FOUNDRY_HOME"
            )
    if shutil.disk_usage(place.home).free < _ROOM_BYTES:
        return FoundryError(f"the disk of {place.home} is full: make room and run again")
    return FoundryError(
        f"the embedded Prefect server ended with code {code}; PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL=ERROR "
        "lets it say why"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
