"""Named instants of a run, at which a process can be made to die, or to stop until it is told to go on.

An instant is named by where it is and how often it was there: `labels-shard publish.moved 2` is the second
time that a shard of labels has been moved in, `finetune progress 3` the third word of progress of that stage.
Each is noted in a file before anything happens, so that a test can count what was begun.
"""

import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core.store import Artifact, Store
from blip_core.store.faults import Point
from blip_core.store.store import Build
from tasks.stage import Watcher


class Instants:
    """Notes the instants that a process passes, and signals it at one of them.

    Args:
        note: file they are noted in.
        fatal: name of the instant to die at; empty for none.
        number: the signal.
    """

    def __init__(self, note: Path, fatal: str = "", number: int = signal.SIGKILL) -> None:
        self._fatal = fatal
        self._number = number
        self._counts: Counter[str] = Counter()
        self._note = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def pass_by(self, place: str) -> None:
        self._counts[place] += 1
        instant = f"{place} {self._counts[place]}"
        os.write(self._note, f"{instant}\n".encode())
        if instant == self._fatal:
            os.kill(os.getpid(), self._number)


class WatchedStore(Store):
    """A store whose fault points are instants, each named after the kind of what is published."""

    def __init__(self, root: Path, instants: Instants) -> None:
        super().__init__(root, reach=self._pass_by)
        self._instants = instants
        self._kinds: list[str] = []

    def publish(self, key: str, kind: str, build: Build) -> Artifact:
        self._kinds.append(kind)
        try:
            return super().publish(key, kind, build)
        finally:
            self._kinds.pop()

    def _pass_by(self, point: Point) -> None:
        self._instants.pass_by(f"{self._kinds[-1]} {point}")


class WatchedStages:
    """Hands on what a watcher of stages is told; each word is an instant.

    Args:
        watcher: who is told.
        instants: where the words are noted.
    """

    def __init__(self, watcher: Watcher, instants: Instants) -> None:
        self._watcher = watcher
        self._instants = instants
        self._stage = ""

    def begin(self, stage: str, cached: bool) -> None:
        self._stage = stage
        self._instants.pass_by(f"{stage} begin")
        self._watcher.begin(stage, cached)

    def progress(self, done: int, total: int) -> None:
        self._instants.pass_by(f"{self._stage} progress")
        self._watcher.progress(done, total)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self._watcher.metrics(values, step)

    def epoch(self, epoch: float, epochs: float, metrics: Mapping[str, float]) -> None:
        self._watcher.epoch(epoch, epochs, metrics)

    def samples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._watcher.samples(rows)

    def end(self, artifact: Artifact) -> None:
        self._watcher.end(artifact)
        self._instants.pass_by(f"{self._stage} end")

    def fail(self, error: BaseException) -> None:
        self._watcher.fail(error)

    def pause(self, reason: str) -> None:
        self._watcher.pause(reason)


def read_instants(note: Path) -> list[str]:
    return note.read_text().splitlines() if note.exists() else []


def times(instants: list[str], place: str) -> int:
    """How often a place was passed."""
    return sum(instant.rpartition(" ")[0] == place for instant in instants)


def arm(instants: Instants) -> None:
    """Let every store that the workplace opens from now on pass these instants."""
    from blip_core.wiring import places

    stores: dict[Path, Store] = {}

    def store(root: Path) -> Store:
        return stores.setdefault(root, WatchedStore(root, instants))

    opened: Any = store
    places._store = opened
