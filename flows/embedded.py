"""Prefect's embedded server, which outlives nobody: not even a run that is killed while it starts."""

from subprocess import Popen
from typing import Any

from prefect.server.api.server import SubprocessASGIServer

from flows.guard import Lifeline


class HeldServer(SubprocessASGIServer):
    """The server that Prefect would start at the first call; a guard has it as soon as it is a process."""

    def _run_uvicorn_command(self) -> Popen[Any]:
        guard = Lifeline()  # first, so that the server is without one for an instant only
        process = super()._run_uvicorn_command()
        guard.hold(process.pid)
        return process


def start_embedded_server() -> None:
    """Start the server, and wait until it answers; Prefect finds it by itself."""
    HeldServer().start()
