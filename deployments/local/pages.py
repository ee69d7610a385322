"""Prefect and MLflow in a browser, and a worker that executes; all on loopback, all ended together."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType
from typing import IO

from blip_core.errors import FoundryError
from blip_core.launching.guard import ProcessGroups
from blip_core.wiring import Workplace, library_environment, prepare_environment, workplace
from blip_core.wiring.servers import (
    HOST,
    MLFLOW_PORT,
    PREFECT_PORT,
    answers,
    check_port,
    forget_servers,
    note_servers,
)
from flows.cli.app import speak
from flows.prefect_database import check_prefect_database

STARTUP_SECONDS = 300.0  # 15 to 30 s on two idle cores; a server that ends is noticed at once
SET_UP = "deployments.set_up"  # run by name: what runs where and when is decided above the flows
_POLL_SECONDS = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ports:
    """Where both pages are served."""

    prefect: int
    mlflow: int


def serve_pages(place: Workplace, ports: Ports, say: Say) -> None:
    """Serve both pages and execute what is started from them, until interrupted.

    Raises:
        PlaceError: A port is taken.
        FoundryError: A server ended or did not come up.
    """
    check_port(ports.prefect, "--prefect-port")
    check_port(ports.mlflow, "--mlflow-port")
    prefect, mlflow = f"http://{HOST}:{ports.prefect}", f"http://{HOST}:{ports.mlflow}"
    place.prepare_records()
    check_prefect_database()
    place.logs.mkdir(parents=True, exist_ok=True)
    environment = library_environment() | {
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_UI_API_URL": f"{prefect}/api",
        "FOUNDRY_HOME": str(place.home),
        # In memory, as by default, slots of limits would stay taken for good when the server is killed.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    with ExitStack() as stack:
        groups = stack.enter_context(ProcessGroups())

        def log_of(name: str) -> IO[bytes]:
            return stack.enter_context((place.logs / f"{name}.log").open("wb"))

        def start(name: str, command: list[str]) -> None:
            groups.start(name, command, environment, log_of(name))

        start("prefect", prefect_command(ports.prefect))
        start("mlflow", mlflow_command(ports.mlflow))
        say("Starting Prefect and MLflow ...")
        _wait_for(groups, place, [f"{prefect}/api/health", f"{mlflow}/health"])
        set_up_deployments(environment, log_of("deployments"))
        start("worker", [sys.executable, "-m", "deployments.local.worker"])
        stack.callback(forget_servers, place)
        note_servers(place, prefect, mlflow)
        say(f"Prefect  {prefect}   (start runs under Deployments)")
        say(f"MLflow   {mlflow}")
        say("Ctrl-C stops both and the worker.")
        _watch(groups, place)


def set_up_deployments(environment: dict[str, str], log: IO[bytes]) -> None:
    """Let the server offer what `deployments` holds, without switching schedules on.

    Raises:
        FoundryError: It failed.
    """
    command = [sys.executable, "-m", SET_UP, "--no-schedules"]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
    )
    if done.returncode:
        raise FoundryError(f"the deployments could not be set up; see {log.name}")


def prefect_command(port: int) -> list[str]:
    """The command that starts a Prefect server on loopback."""
    server = [sys.executable, "-m", "deployments.local.prefect_server", "server", "start"]
    return [*server, "--host", HOST, "--port", str(port)]


def mlflow_command(port: int) -> list[str]:
    """The command that starts an MLflow server on loopback."""
    return [sys.executable, "-m", "deployments.local.mlflow_server", "--host", HOST, "--port", str(port)]


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
        raise FoundryError(f"{name} ended unexpectedly; its last output is in {place.logs / f'{name}.log'}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _serve() -> None:
    parser = argparse.ArgumentParser(description="The pages of Prefect and MLflow.")
    parser.add_argument("--prefect-port", type=int, default=PREFECT_PORT)
    parser.add_argument("--mlflow-port", type=int, default=MLFLOW_PORT)
    named = parser.parse_args()
    place = workplace()
    prepare_environment(place)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs would ignore SIGINT
        signal.signal(number, _interrupt)
    try:
        serve_pages(place, Ports(named.prefect_port, named.mlflow_port), _say)
    except KeyboardInterrupt:
        _say("Ended.")


if __name__ == "__main__":
    speak(_serve)
