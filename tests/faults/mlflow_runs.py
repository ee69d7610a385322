"""What MLflow knows of the runs of a home."""

from collections import Counter
from pathlib import Path

from blip_core.tracking import prepare_store

EXPERIMENT = "gallery-vqa"


def statuses(home: Path) -> Counter[str]:
    """How the runs ended that MLflow knows, stages left out; makes sure that no metric was told twice."""
    from mlflow import MlflowClient

    uri = prepare_store(home / "mlflow")
    client = MlflowClient(uri, registry_uri=uri)
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], max_results=5000)
    for run in runs:
        for name in run.data.metrics:
            history = client.get_metric_history(run.info.run_id, name)
            steps = [metric.step for metric in history]
            assert len(steps) == len(set(steps)), (run.info.run_name, name, history)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return Counter(run.info.status for run in parents)
