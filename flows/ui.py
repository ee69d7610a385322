"""Prefect and MLflow in a browser, and a worker that executes; all on loopback, all ended together."""

import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from blip_core.errors import FoundryError, PlaceError
from blip_core.tracking import prepare_store, server_command
from blip_core.wiring import Workplace, library_environment
from flows.guard import ProcessGroups
from flows.servers import HOST, answers, forget_servers, note_servers

STARTUP_SECONDS = 120.0
_POLL_SECONDS = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ports:
    """Where both pages are served."""

    prefect: int
    mlflow: int


def check_port(port: int, option: str) -> None:
    """Refuse a port that is taken.

    Raises:
        PlaceError: Somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PlaceError(
                f"port {port} on {HOST} cannot be used: {error.strerror}. Choose another with {option}."
            ) from error


def serve_pages(place: Workplace, ports: Ports, say: Say) -> None:
    """Serve both pages and execute what is started from them, until interrupted.

    Raises:
        PlaceError: A port is taken.
        FoundryError: A server ended or did not come up.
    """
    check_port(ports.prefect, "--prefect-port")
    check_port(ports.mlflow, "--mlflow-port")
    prefect, mlflow = f"http://{HOST}:{ports.prefect}", f"http://{HOST}:{ports.mlflow}"
    prepare_store(place.mlflow)
    place.logs.mkdir(parents=True, exist_ok=True)
    environment = library_environment() | {
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_UI_API_URL": f"{prefect}/api",
        "FOUNDRY_HOME": str(place.home),
    }
    with ExitStack() as stack:
        groups = stack.enter_context(ProcessGroups())

        def start(name: str, command: list[str]) -> None:
            log = stack.enter_context((place.logs / f"{name}.log").open("wb"))
            groups.start(name, command, environment, log)

        start("prefect", prefect_command(ports.prefect))
        start("mlflow", server_command(place.mlflow, ports.mlflow, HOST))
        say("Starting Prefect and MLflow ...")
        _wait_for(groups, place, [f"{prefect}/api/health", f"{mlflow}/health"])
        start("worker", [sys.executable, "-m", "flows.worker"])
        stack.callback(forget_servers, place)
        note_servers(place, prefect, mlflow)
        say(f"Prefect  {prefect}   (start runs of the deployment pipeline/foundry here)")
        say(f"MLflow   {mlflow}")
        say("Ctrl-C ends both and the worker.")
        _watch(groups, place)


def prefect_command(port: int) -> list[str]:
    """The command that starts a Prefect server on loopback."""
    server = [sys.executable, "-m", "prefect", "server", "start"]
    return [*server, "--host", HOST, "--port", str(port)]


def _wait_for(groups: ProcessGroups, place: Workplace, addresses: list[str]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    for address in addresses:
        while not answers(address):
            _refuse_ended(groups, place)
            if time.monotonic() > deadline:
                raise FoundryError(
                    f"{address} did not answer within {STARTUP_SECONDS:.0f} s; see {place.logs}"
                )
            time.sleep(_POLL_SECONDS)


def _watch(groups: ProcessGroups, place: Workplace) -> None:
    while True:
        _refuse_ended(groups, place)
        time.sleep(_POLL_SECONDS)


def _refuse_ended(groups: ProcessGroups, place: Workplace) -> None:
    name = groups.ended()
    if name:
        raise FoundryError(f"{name} ended unexpectedly; its last words are in {place.logs / f'{name}.log'}")
