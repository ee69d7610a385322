"""`foundry ui`: the pages."""

import signal
from types import FrameType
from typing import Annotated

import typer

from flows.servers import MLFLOW_PORT, PREFECT_PORT

PrefectPort = Annotated[int, typer.Option(help="Port of the Prefect page.", min=1, max=65535)]
MlflowPort = Annotated[int, typer.Option(help="Port of the MLflow page.", min=1, max=65535)]


def ui(prefect_port: PrefectPort = PREFECT_PORT, mlflow_port: MlflowPort = MLFLOW_PORT) -> None:
    """Serve the Prefect and MLflow pages on loopback, with a worker; Ctrl-C stops everything."""
    from blip_core.wiring import prepare_environment, workplace
    from flows.ui import Ports, serve_pages

    place = workplace()
    prepare_environment(place)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs would ignore SIGINT
        signal.signal(number, _interrupt)
    try:
        serve_pages(place, Ports(prefect_port, mlflow_port), typer.echo)
    except KeyboardInterrupt:
        typer.echo("Ended.")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
