"""What a Prefect server and MLflow hold of a run, read back as their pages read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

RECENT = 200  # log lines that a server gives at once


@contextmanager
def sending_logs() -> Iterator[None]:
    """Let log lines reach the server, as they do outside these tests."""
    from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        yield


def log_of(flow_run_id: str) -> list[str]:
    """The lines of a run's log, in order, each with its level."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.client.schemas.sorting import LogSort
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(flow_run_id)]))
    with get_client(sync_client=True) as client:
        found = client.read_logs(wanted, limit=RECENT, sort=LogSort.TIMESTAMP_ASC)
    return [f"{line.level} {line.message}" for line in found]


def artifacts_of(flow_run_id: str) -> dict[str, tuple[str, str]]:
    """Type and content of a run's artefacts by their keys."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run_id)]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    return {str(one.key): (str(one.type), str(one.data)) for one in found}


def newest_run() -> str:
    """Id of the flow run of an entry flow that was started last."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentTaskRunId
    from prefect.client.schemas.sorting import FlowRunSort

    outermost = FlowRunFilter(parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=True))
    with get_client(sync_client=True) as client:
        (found,) = client.read_flow_runs(flow_run_filter=outermost, limit=1, sort=FlowRunSort.START_TIME_DESC)
    return str(found.id)


def mlflow_run(summary):
    """The MLflow run that a summary names, and those below it by their names."""
    from mlflow import MlflowClient

    client = MlflowClient(summary["mlflow"]["tracking_uri"])
    parent = client.get_run(summary["mlflow"]["run_id"])
    below = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = client.search_runs([parent.info.experiment_id], below)
    return parent, {run.info.run_name: run for run in children}
