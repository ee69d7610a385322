"""How MLflow's page shows our experiments: as model training, with a view of their scores.

The page takes an experiment for GenAI unless its tag, the address or the browser's own setting says
otherwise; which of them it heeds differs between MLflow's versions, so all three are given.
"""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from blip_core import strict_json
from blip_core.tracking.guarding import LoginGuard

if TYPE_CHECKING:
    from fastapi import FastAPI
    from mlflow import MlflowClient

APP = "foundry"  # the name under which `mlflow server --app-name` finds `create_app`
KIND_TAG = "mlflow.experimentKind"
TRAINING = "custom_model_development"
NOTE_TAG = "mlflow.note.content"
NOTE_CHARS = 5000  # the least that a version of MLflow lets a tag of a run hold
VIEW = "foundry-scores"
VIEW_NAME = "Scores"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
_WORKFLOW = {"workflowType": "machine_learning"}
_VIEW_COLUMNS = (
    "attributes.`Description`",
    "metrics.`eval/accuracy`",
    "metrics.`eval/gain`",
    "metrics.`eval/gain_p`",
)
# What a browser that has never seen the page starts with: training, and no assistant over a third of it.
_FIRST_LOOK = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}


logger = logging.getLogger(__name__)


def run_page(server: str, experiment_id: str, run_id: str) -> str:
    """Address of a run on the page of a server, such as `http://127.0.0.1:5000`."""
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{urlencode(_WORKFLOW)}"


def experiment_page(server: str, experiment_id: str) -> str:
    """Address of an experiment's runs, with the columns of our view."""
    shown = urlencode({"viewStateShareKey": VIEW, **_WORKFLOW})
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?{shown}"


def file_page(server: str, experiment_id: str, run_id: str, path: str) -> str:
    """Address of a run's file, shown by the page."""
    base = f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}/artifacts/{path}"
    return f"{base}?{urlencode(_WORKFLOW)}"


def file_address(server: str, run_id: str, path: str) -> str:
    """Address of the bytes of a run's file."""
    return f"{server.rstrip('/')}/get-artifact?{urlencode({'path': path, 'run_uuid': run_id})}"


def dress(client: "MlflowClient", experiment_id: str) -> None:
    """Let an experiment open on its training runs, unless it was decided before what it is.

    A server that does not allow it, or cannot, records the run nevertheless.
    """
    from mlflow.exceptions import MlflowException

    try:
        if KIND_TAG in client.get_experiment(experiment_id).tags:
            return
        client.set_experiment_tag(experiment_id, VIEW_TAG, _view())
        client.set_experiment_tag(experiment_id, KIND_TAG, TRAINING)
    except MlflowException as error:
        logger.info("The experiment %s could not be marked as one of training: %s", experiment_id, error)


def _view() -> str:
    """A saved view, as the page writes it itself."""
    now = time.time_ns() // 1_000_000
    state = strict_json.dumps({"selectedColumns": list(_VIEW_COLUMNS)})
    return strict_json.dumps({"name": VIEW_NAME, "createdAt": now, "updatedAt": now, "state": state})


def create_app() -> "FastAPI":
    """MLflow's server, whose page starts with model training where a browser has not chosen yet.

    Where the environment holds the login that MLflow's clients send, the server asks for it.
    """
    import mlflow.server
    from mlflow import environment_variables as variables
    from mlflow.server.fastapi_app import create_fastapi_app

    served = mlflow.server.app
    page = with_first_look((Path(str(served.static_folder)) / "index.html").read_text(encoding="utf-8"))
    served.view_functions["serve"] = lambda: page
    app: FastAPI = create_fastapi_app(served)
    login: list[Any] = [variables.MLFLOW_TRACKING_USERNAME, variables.MLFLOW_TRACKING_PASSWORD]
    user, password = (one.get() for one in login)
    if user and password:
        app.add_middleware(LoginGuard, user=user, password=password)
    return app


def with_first_look(page: str) -> str:
    """The page with a script before all others that sets what a browser has no value for."""
    script = (
        f"for (const [name, value] of Object.entries({strict_json.dumps(_FIRST_LOOK)}))"
        " localStorage.getItem(name) ?? localStorage.setItem(name, JSON.stringify(value));"
    )
    return page.replace("<head>", f"<head><script>{script}</script>", 1)
