"""Where people watch a run: what a terminal and a page have in common."""

from collections.abc import Mapping
from typing import Any, Protocol


class Screen(Protocol):
    """Where a person watches: a terminal, see `blip_core.reporting.terminal`, or a page of Prefect."""

    def begin(self, stage: str, cached: bool) -> None: ...

    def progress(self, done: int, total: int) -> None: ...

    def end(self, stage: str, seconds: float, cached: bool, told: Mapping[str, Any]) -> None: ...

    def fail(self, stage: str) -> None: ...

    def pause(self, stage: str) -> None:
        """A stage stops before its end; what is whole of it is kept."""


class NoScreen:
    """Shows nothing: nobody sits before a run of a worker."""

    def begin(self, stage: str, cached: bool) -> None:
        return None

    def progress(self, done: int, total: int) -> None:
        return None

    def end(self, stage: str, seconds: float, cached: bool, told: Mapping[str, Any]) -> None:
        return None

    def fail(self, stage: str) -> None:
        return None

    def pause(self, stage: str) -> None:
        return None
