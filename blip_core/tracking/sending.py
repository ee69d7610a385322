"""What each kind of journal entry becomes in MLflow."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core import strict_json
from blip_core.tracking.journal import Entry
from blip_core.tracking.registry import register_adapter

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_TAG = "foundry.run"
_TABLES_TAG = "mlflow.loggedArtifacts"  # names the files that MLflow's page shows as tables
_METRICS_A_REQUEST = 800  # with the others below the 1000 that MLflow takes of all together
_PARAMS_A_REQUEST = 100
_TAGS_A_REQUEST = 100
_DIGEST_CHARACTERS = 36  # as many as MLflow's column holds; the whole digest goes into a tag


def send_batch(client: "MlflowClient", run_id: str, entries: Sequence[Entry]) -> None:
    """Send params, metrics and tags of several entries in as few requests as MLflow's limits allow."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = [
        Metric(key, value, entry.time_ms, entry.data["step"])
        for entry in entries
        if entry.kind == "metrics"
        for key, value in entry.data["values"].items()
    ]
    params = [Param(key, value) for key, value in _values(entries, "params")]
    tags = [RunTag(key, value) for key, value in _values(entries, "tags")]
    requests = zip_longest(
        _slices(metrics, _METRICS_A_REQUEST),
        _slices(params, _PARAMS_A_REQUEST),
        _slices(tags, _TAGS_A_REQUEST),
        fillvalue=(),
    )
    for some_metrics, some_params, some_tags in requests:
        client.log_batch(run_id, metrics=some_metrics, params=some_params, tags=some_tags)


def send_alone(client: "MlflowClient", experiment_id: str, run_id: str, entry: Entry, folder: Path) -> str:
    """Send an entry that takes requests of its own; `folder` is the journal's.

    Returns:
        The registry's version for an adapter, else nothing.
    """
    data = entry.data
    match entry.kind:
        case "artifact":
            client.log_artifact(run_id, str(folder / data["file"]), data["folder"] or None)
        case "table":
            _send_table(client, run_id, folder / data["file"], data["folder"])
        case "dataset":
            _send_dataset(client, run_id, data)
        case "adapter":
            return register_adapter(client, experiment_id, run_id, folder / data["file"], data, entry.time_ms)
        case "finish":
            client.set_terminated(run_id, data["status"], end_time=entry.time_ms)
    return ""


def _values(entries: Sequence[Entry], kind: str) -> list[tuple[str, str]]:
    return [pair for entry in entries if entry.kind == kind for pair in entry.data["values"].items()]


def _slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _send_table(client: "MlflowClient", run_id: str, file: Path, folder: str) -> None:
    client.log_artifact(run_id, str(file), folder or None)
    known = strict_json.loads(client.get_run(run_id).data.tags.get(_TABLES_TAG, "[]"))
    table = {"path": f"{folder}/{file.name}" if folder else file.name, "type": "table"}
    if table not in known:
        client.set_tag(run_id, _TABLES_TAG, strict_json.dumps([*known, table]))


def _send_dataset(client: "MlflowClient", run_id: str, data: dict[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=data["name"],
        digest=data["digest"][:_DIGEST_CHARACTERS],
        source_type="local",
        source=strict_json.dumps({"uri": Path(data["path"]).as_uri()}),
        profile=strict_json.dumps({"num_rows": data["rows"], "digest": data["digest"]}),
    )
    tags = [InputTag("mlflow.data.context", data["context"]), InputTag("foundry.digest", data["digest"])]
    client.log_inputs(run_id, [DatasetInput(dataset, tags)])
