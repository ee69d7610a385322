"""What MLflow has to be told through the environment, and the tags that link a run to where it came from."""

RETRIES = 2  # about 4 s until a server that is away is given up, instead of 4 minutes


def quiet_environment() -> dict[str, str]:
    """Variables that keep MLflow quiet, offline and quick to give up; to be set before MLflow is imported."""
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(RETRIES),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # scorers of MLflow's own, which nothing here uses
    }


def link_tags(
    flow_run_id: str = "", flow_run_url: str = "", git_commit: str = "", dataset_digest: str = ""
) -> dict[str, str]:
    """Tags that lead from a run to its Prefect run, its code and its data; what is empty is left out."""
    links = {
        "prefect.flow_run_id": flow_run_id,
        "prefect.flow_run_url": flow_run_url,
        "mlflow.source.git.commit": git_commit,  # MLflow shows it as the run's version
        "foundry.dataset_digest": dataset_digest,
    }
    return {name: value for name, value in links.items() if value}
