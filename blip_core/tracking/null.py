"""Runs that are not recorded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class NullTracker:
    """Records nothing."""

    uri = ""

    def start(
        self, experiment: str, name: str, tags: Mapping[str, str], mirrors: Sequence[str] = ()
    ) -> "NullRun":
        return NullRun()


class NullRun:
    """A run that leaves no trace."""

    id = ""
    mlflow_id = ""

    def params(self, values: Mapping[str, Any]) -> None:
        return None

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        return None

    def tags(self, values: Mapping[str, str]) -> None:
        return None

    def note(self, markdown: str) -> None:
        return None

    def artifact(self, path: Path, folder: str = "") -> None:
        return None

    def dataset(self, name: str, digest: str, path: Path, rows: int, context: str = "training") -> None:
        return None

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        return None

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
        return ""

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> "NullRun":
        return NullRun()

    def finish(self, status: str = "FINISHED") -> None:
        return None
