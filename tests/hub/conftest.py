"""A hub on loopback, and places of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blip_core.prefetching.hub import Hub
from blip_core.prefetching.places import Places
from tests.hub.stand_in import StandIn, serving


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # between tries
    monkeypatch.setattr(
        "huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000
    )  # less than that is lost at a cut
    with serving() as hub:
        yield hub


@pytest.fixture
def hub(stand_in: StandIn) -> Hub:
    return Hub(stand_in.url)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "models", tmp_path / "checkpoints.lock.json")


class Told:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.lines: list[str] = []

    def begin(self, name: str, size: int, have: int) -> None:
        self.begun.append((name, size, have))

    def advance(self, size: int) -> None:
        """Nothing looks at it."""

    def end(self, whole: bool) -> None:
        """Nothing looks at it."""

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def told() -> Told:
    return Told()
