"""Adapters that MLflow's registry holds, found by alias or version and fetched whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from blip_core.connecting import without_password
from blip_core.errors import TrackingError, UnknownArtifact
from blip_core.tracking.pyfunc import MODEL_FILES
from blip_core.tracking.registry import DIGEST_TAG, FILES_TAG, folder_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

_SCHEME = "models:/"
_UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")
_HOW = (
    "`candidate` is set by every run that tunes an adapter, `champion` by one whose adapter beats its base "
    "by the rule in the recipe's section champion"
)


@dataclass(frozen=True, slots=True)
class RegisteredAdapter:
    """A version of a registered adapter.

    Attributes:
        name: of the registered model.
        version: its number.
        digest: of the adapter's artefact; what changes when the adapter does.
        files_digest: of the files that the registry holds, see `folder_digest`; empty where an early version
            of this program registered them.
        source: where the files are, for MLflow.
    """

    name: str
    version: str
    digest: str
    files_digest: str
    source: str

    @property
    def uri(self) -> str:
        return f"{_SCHEME}{self.name}/{self.version}"


class Registry:
    """The registry of one MLflow.

    Args:
        uri: a database (`sqlite:////absolute/path`) or a server (`http://...`).
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def find(self, reference: str) -> RegisteredAdapter:
        """The version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` means now.

        Raises:
            UnknownArtifact: There is no such model, alias or version, or it is no adapter of ours.
            TrackingError: MLflow does not answer.
        """
        with self._asked() as client:
            name, alias, number = _parts(reference)
            model = _model(client, name)
            number = number or _number_of(model, alias)
            found = _version(client, name, number)
            digest = found.tags.get(DIGEST_TAG, "")
            if not digest:
                raise UnknownArtifact(
                    f"{reference} has no tag {DIGEST_TAG}: it is not an adapter that was registered here"
                )
            location = _location(client, found)
            return RegisteredAdapter(name, number, digest, found.tags.get(FILES_TAG, ""), location)

    def fetch(self, adapter: RegisteredAdapter, folder: Path) -> None:
        """Download the files of an adapter into a folder that is there and empty.

        Raises:
            TrackingError: MLflow does not answer, or what it sends is not what was registered.
        """
        with TemporaryDirectory(dir=folder.parent) as temporary:
            got = self._download(adapter, temporary)
            _check_files(adapter, got)
            shutil.copytree(got, folder, ignore=_not_of_adapters, dirs_exist_ok=True)

    def _download(self, adapter: RegisteredAdapter, target: str) -> Path:
        with self._asked():
            from mlflow.artifacts import download_artifacts

            return Path(download_artifacts(adapter.source, dst_path=target, tracking_uri=self._uri))

    @contextmanager
    def _asked(self) -> Iterator["MlflowClient"]:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            yield MlflowClient(self._uri, registry_uri=self._uri)
        except (MlflowException, OSError) as error:
            where, reason = without_password(self._uri), without_password(_first_line(error))
            raise TrackingError(
                f"the registry of MLflow at {where} does not give the adapter ({reason}); start MLflow, or "
                "name the adapter by its digest or folder"
            ) from error


def _parts(reference: str) -> tuple[str, str, str]:
    """Name, alias and version of a reference; one of the last two is empty."""
    bare = reference.removeprefix(_SCHEME)
    if "@" in bare:
        name, _, alias = bare.partition("@")
        return name, alias, ""
    name, _, version = bare.partition("/")
    return name, "", version


def _model(client: "MlflowClient", name: str) -> "RegisteredModel":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code in _UNKNOWN:
            raise UnknownArtifact(f"the registry has no adapter {name}: {_HOW}") from error
        raise


def _number_of(model: "RegisteredModel", alias: str) -> str:
    if alias not in model.aliases:
        known = ", ".join(sorted(model.aliases)) or "none"
        raise UnknownArtifact(
            f"no version of {model.name} has the alias {alias!r} (there is {known}): {_HOW}"
        )
    return str(model.aliases[alias])


def _version(client: "MlflowClient", name: str, number: str) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(name, number)
    except MlflowException as error:
        if error.error_code in _UNKNOWN:
            raise UnknownArtifact(f"the registry has no version {number} of {name}") from error
        raise


def _location(client: "MlflowClient", version: "ModelVersion") -> str:
    """Where the files lie. MLflow looks up the logged model `models:/ID` in the process's global store."""
    source = str(version.source)
    if source.startswith(_SCHEME):
        return str(client.get_logged_model(source.removeprefix(_SCHEME)).artifact_location)
    return source


def _not_of_adapters(folder: str, names: list[str]) -> list[str]:
    """Files by which MLflow loads the model: the adapter is as it was without them."""
    del folder
    return [name for name in names if name in MODEL_FILES]


def _check_files(adapter: RegisteredAdapter, folder: Path) -> None:
    got = folder_digest(folder)
    if got not in (adapter.files_digest or adapter.digest, adapter.digest):
        raise TrackingError(
            f"the files of {adapter.uri} are not those that were registered (digest {got[:12]} and not "
            f"{(adapter.files_digest or adapter.digest)[:12]}); tune the adapter again, or name another"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
