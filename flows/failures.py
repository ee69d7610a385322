"""How a run that failed says so on its page: one sentence, and no trace where a person can mend the cause."""

import logging
from typing import Any

from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger

from blip_core.connecting import without_password
from blip_core.errors import FoundryError

KEY = "failure"
_RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
_GO_ON = "What was finished stays in the store: a run with the same settings goes on from there."


def show_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Say on the page of a run why it failed; to be named as `on_failure` of a flow that people start."""
    sentence = failure_sentence(state.result(raise_on_failure=False))
    flow_run_logger(flow_run, flow).error("The run failed: %s", sentence)
    artifact = ArtifactCreate(
        key=KEY,
        type="markdown",
        description="Why this run failed",
        data=f"**{sentence}**\n\n{_GO_ON}",
        flow_run_id=flow_run.id,
    )
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)


def failure_sentence(error: object) -> str:
    """What went wrong: an error raised on purpose in its own words, any other with its kind."""
    if isinstance(error, FoundryError) or not isinstance(error, BaseException):
        return without_password(str(error))
    return without_password(f"{type(error).__name__}: {error}")


def fit_to_be_seen(record: logging.LogRecord) -> bool:
    """Take the trace from a record whose error was raised on purpose, and passwords from addresses."""
    record.msg, record.args = without_password(record.getMessage()), None
    if record.exc_info and isinstance(record.exc_info[1], FoundryError):
        record.exc_info = None
    elif record.exc_info:
        record.exc_text = without_password(logging.Formatter().formatException(record.exc_info))
    return True


for _name in _RUN_LOGGERS:  # of Prefect's, which log each error once a task, subflow and flow
    logging.getLogger(_name).addFilter(fit_to_be_seen)
