"""What a stage needs from a tracker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Run(Protocol):
    """One tracked run: an open record of parameters, metrics and files, safe for threads."""

    @property
    def id(self) -> str:
        """Our own name of the run, known before any server was asked."""
        ...

    @property
    def mlflow_id(self) -> str:
        """MLflow's name of the run; empty as long as no server has heard of it."""
        ...

    def params(self, values: Mapping[str, Any]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...

    def tags(self, values: Mapping[str, str]) -> None: ...

    def note(self, markdown: str) -> None:
        """Describe the run on its page; a later note replaces an earlier one."""
        ...

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a file below `folder`."""
        ...

    def dataset(self, name: str, digest: str, path: Path, rows: int, context: str = "training") -> None:
        """Name a dataset the run used; `context` says for what."""
        ...

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Keep rows of JSON values as the table `file` (a name that ends in .json)."""
        ...

    def adapter(
        self,
        path: Path,
        name: str,
        metrics: Mapping[str, float],
        *,
        digest: str = "",
        champion: bool = False,
        served: Mapping[str, str] | None = None,
    ) -> str:
        """Register the adapter in the folder `path` as a version of the model `name`, once a digest.

        `served` says how it answers, for who loads it from the registry.

        Returns:
            The version; empty where no registry answers.
        """
        ...

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> "Run":
        """Open a run below this one."""
        ...

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        ...


class Tracker(Protocol):
    """Where runs are recorded."""

    @property
    def uri(self) -> str:
        """Where MLflow keeps the runs; empty for a tracker without MLflow."""
        ...

    def start(
        self, experiment: str, name: str, tags: Mapping[str, str], mirrors: Sequence[str] = ()
    ) -> Run: ...
