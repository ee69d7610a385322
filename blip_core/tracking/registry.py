"""Adapters in MLflow's registry: a logged model each, with versions and aliases.

MLflow's own flavours cannot save BLIP-2 with an adapter, so the files that PEFT wrote are logged as they are,
with those beside them by which MLflow loads and serves the model.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from blip_core import strict_json
from blip_core.tracking.pyfunc import MODEL_FILES, write_model_files

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

CANDIDATE = "candidate"
CHAMPION = "champion"
DIGEST_TAG = "foundry.digest"
LOADABLE_TAG = "foundry.loadable"  # the version has what MLflow loads it by
FILES_TAG = "foundry.files_digest"  # of the files as they lie in the registry, see `folder_digest`
_VERSIONS_TAG = "mlflow.modelVersions"  # lets the page of a logged model name its registered versions
_MODEL_TYPE = "lora-adapter"
_LOGGED_MODEL = re.compile(r"[:/](m-[0-9a-f]{32})(?:/|$)")  # in a version's source, see `_source`


def register_adapter(
    client: "MlflowClient",
    experiment_id: str,
    run_id: str,
    folder: Path,
    data: Mapping[str, Any],
    time_ms: int,
) -> str:
    """Register the adapter in `folder` once a digest, and point the aliases at it.

    Args:
        client: where.
        experiment_id: experiment of the run.
        run_id: the run that tuned it.
        folder: the adapter's files.
        data: `name`, `metrics`, `digest` (empty: of its files), `champion` and, where it is known how the
            adapter answers, `served`, as in the journal.
        time_ms: when its metrics were measured, Unix time.

    Returns:
        The version.
    """
    digest = data["digest"] or folder_digest(folder)
    name = data["name"]
    _ensure_registered_model(client, name)
    version = _version_of(client, name, digest) or _create_version(
        client, experiment_id, run_id, folder, data, digest, time_ms
    )
    _make_loadable(client, name, version, data.get("served") or {})
    client.set_model_version_tag(name, version, FILES_TAG, folder_digest(folder))
    client.set_registered_model_alias(name, CANDIDATE, version)
    if data["champion"]:
        client.set_registered_model_alias(name, CHAMPION, version)
    return version


def folder_digest(folder: Path) -> str:
    """sha256 over the names and bytes of a folder's files, but those that MLflow loads it by."""
    whole = hashlib.sha256()
    files = (path for path in folder.rglob("*") if path.is_file())
    for path in sorted(path for path in files if path.relative_to(folder).as_posix() not in MODEL_FILES):
        whole.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _ensure_registered_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version_of(client: "MlflowClient", name: str, digest: str) -> str:
    found = client.search_model_versions(
        f"name = '{name}' and tags.`{DIGEST_TAG}` = '{digest}'", max_results=1
    )
    return str(found[0].version) if found else ""


def _create_version(
    client: "MlflowClient",
    experiment_id: str,
    run_id: str,
    folder: Path,
    data: Mapping[str, Any],
    digest: str,
    time_ms: int,
) -> str:
    from mlflow.entities import LoggedModelOutput, Metric

    model = client.create_logged_model(
        experiment_id, data["name"], run_id, tags={DIGEST_TAG: digest}, model_type=_MODEL_TYPE
    )
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    metrics = [
        Metric(key, value, time_ms, 0, model_id=model.model_id) for key, value in data["metrics"].items()
    ]
    client.log_batch(run_id, metrics=metrics)
    version = client.create_model_version(
        data["name"], _source(client, model), run_id, tags={DIGEST_TAG: digest}, model_id=model.model_id
    )
    registered = [{"name": data["name"], "version": str(version.version)}]
    client.set_logged_model_tags(model.model_id, {_VERSIONS_TAG: strict_json.dumps(registered)})
    return str(version.version)


def _make_loadable(client: "MlflowClient", name: str, version: str, how: Mapping[str, str]) -> None:
    """Lay what MLflow loads a model by beside the files of a version, once; early versions get it later."""
    found = client.get_model_version(name, version)
    logged = _LOGGED_MODEL.search(str(found.source))
    if not how or logged is None or LOADABLE_TAG in found.tags:
        return
    with TemporaryDirectory() as temporary:
        write_model_files(Path(temporary), dict(how), logged[1])
        client.log_model_artifacts(logged[1], temporary)
    client.set_model_version_tag(name, version, LOADABLE_TAG, "true")


def _source(client: "MlflowClient", model: "LoggedModel") -> str:
    """Where the files are: a server finds its models, a database looks in the process's global store."""
    if client.tracking_uri.startswith("http"):
        return f"models:/{model.model_id}"
    return str(model.artifact_location)
