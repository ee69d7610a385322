"""What a stage needs from a model or a tracker, and nothing more."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL.Image import Image


@runtime_checkable
class TextWriter(Protocol):
    """Writes text for prompts: a language model."""

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Continue each prompt under its own seed; one text a prompt, in order, without the prompt."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@runtime_checkable
class Painter(Protocol):
    """Paints pictures of prompts: a diffusion model."""

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | None]:
        """Paint each prompt under its own seed; RGB pictures in order, None where a safety check refused."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@runtime_checkable
class Labeller(Protocol):
    """Says something of pictures: a vision-language model."""

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its RGB picture under its own seed; text without the prompt, in order."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


class Run(Protocol):
    """One tracked run: an open record of parameters, metrics and files."""

    @property
    def id(self) -> str: ...

    def params(self, values: Mapping[str, Any]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...

    def tags(self, values: Mapping[str, str]) -> None: ...

    def artifact(self, path: Path, folder: str = "") -> None: ...

    def child(self, name: str) -> "Run":
        """Open a run below this one."""
        ...

    def finish(self, status: str = "FINISHED") -> None: ...


class Tracker(Protocol):
    """Where runs are recorded."""

    @property
    def uri(self) -> str: ...

    def start(self, experiment: str, name: str, tags: Mapping[str, str]) -> Run: ...
