"""MLflow's server over this place's records, which are set up first."""

import argparse
import os

from blip_core.tracking import server_command, server_environment
from blip_core.wiring import library_environment, prepare_environment, workplace
from blip_core.wiring.binding import MLFLOW_LOGIN, check_host
from blip_core.wiring.servers import HOST, MLFLOW_PORT
from flows.cli.app import speak


def main() -> None:
    """Become the server, once its database is at the installed version."""
    parser = argparse.ArgumentParser(description="MLflow's server.")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=MLFLOW_PORT)
    parser.add_argument(
        "--artifacts", default="", help="Another place for files of runs: s3://bucket/prefix."
    )
    named = parser.parse_args()
    check_host(named.host, MLFLOW_LOGIN)
    place = workplace()
    prepare_environment(place)
    environment = library_environment() | server_environment(place.prepare_records())
    command = server_command(place.mlflow, named.port, named.host, named.artifacts)
    os.execve(command[0], command, environment)  # noqa: S606 - arguments of our own


if __name__ == "__main__":
    speak(main)
