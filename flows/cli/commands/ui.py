"""`foundry ui`: the pages."""

import os
import sys
from typing import Annotated

import typer

from blip_core.wiring.servers import MLFLOW_PORT, PREFECT_PORT, check_port

PrefectPort = Annotated[int, typer.Option(help="Port of the Prefect page.", min=1, max=65535)]
MlflowPort = Annotated[int, typer.Option(help="Port of the MLflow page.", min=1, max=65535)]
PAGES = "deployments.local.pages"  # run by name: what runs where is decided above the flows


def ui(prefect_port: PrefectPort = PREFECT_PORT, mlflow_port: MlflowPort = MLFLOW_PORT) -> None:
    """Serve the Prefect and MLflow pages on loopback, with a worker; Ctrl-C stops everything."""
    check_port(prefect_port, "--prefect-port")
    check_port(mlflow_port, "--mlflow-port")
    ports = ["--prefect-port", str(prefect_port), "--mlflow-port", str(mlflow_port)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", PAGES, *ports])  # noqa: S606 - arguments of our own
