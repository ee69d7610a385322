"""What the stages share: a key from the store, one rule for caching, and somebody who watches.

A stage's Prefect cache key is the store's key, and a stage is refreshed whenever the store does not hold
that key intact: the store's manifest alone decides whether work exists.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prefect import Task
from prefect.context import TaskRunContext

from blip_core.errors import BudgetSpent, StoreError
from blip_core.store import Artifact, ArtifactRef
from blip_core.wiring import workplace


class Watcher(Protocol):
    """Somebody who is told how the stages of a run are getting on; stages run one at a time."""

    def begin(self, stage: str, cached: bool) -> None: ...

    def progress(self, done: int, total: int) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int) -> None: ...

    def epoch(self, epoch: float, epochs: float, metrics: Mapping[str, float]) -> None: ...

    def samples(self, rows: Sequence[Mapping[str, Any]]) -> None: ...

    def end(self, artifact: Artifact) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def pause(self, reason: str) -> None:
        """A stage stops before its end because it may take no more; the run goes on with what is whole."""


class NoWatcher:
    """Watches nothing: for stages that are called outside a flow."""

    def begin(self, stage: str, cached: bool) -> None:
        return None

    def progress(self, done: int, total: int) -> None:
        return None

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        return None

    def epoch(self, epoch: float, epochs: float, metrics: Mapping[str, float]) -> None:
        return None

    def samples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        return None

    def end(self, artifact: Artifact) -> None:
        return None

    def fail(self, error: BaseException) -> None:
        return None

    def pause(self, reason: str) -> None:
        return None


_WATCHER: ContextVar[Watcher] = ContextVar("watcher")
_NO_WATCHER = NoWatcher()
_PLANNED: ContextVar[list["PlannedStage"]] = ContextVar("planned")
_UNKNOWN_DIGEST = "not made yet"


def path_of(ref: ArtifactRef) -> Path:
    """Folder of an artefact in today's store, wherever it lay when the reference was kept.

    Raises:
        StoreError: The store does not hold it intact.
    """
    return _found(ref).path


def metadata_of(ref: ArtifactRef) -> Mapping[str, Any]:
    """What its maker said of an artefact.

    Raises:
        StoreError: The store does not hold it intact.
    """
    return _found(ref).metadata


def _found(ref: ArtifactRef) -> Artifact:
    artifact = workplace().store.find(ref.key)
    if artifact is None:
        raise StoreError(f"artefact {ref.key} is gone from the store; run again and it is made anew")
    return artifact


def watcher() -> Watcher:
    return _WATCHER.get(_NO_WATCHER)


@contextmanager
def watched_by(somebody: Watcher) -> Iterator[None]:
    """Let somebody watch every stage that runs inside."""
    token = _WATCHER.set(somebody)
    try:
        yield
    finally:
        _WATCHER.reset(token)


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage as a dry run sees it: taken from the store under its key, or to be worked."""

    name: str
    cached: bool
    key: str = ""


@contextmanager
def only_planned() -> Iterator[list[PlannedStage]]:
    """Let stages inside work nothing: each says whether the store holds what it would make.

    Behind a stage that is still to be worked all others are, too: what they would read has no digest yet.
    """
    stages: list[PlannedStage] = []
    token = _PLANNED.set(stages)
    try:
        yield stages
    finally:
        _PLANNED.reset(token)


class Stage:
    """A task whose result is kept by the store under a key made of its inputs.

    Args:
        name: what people read; may name parameters, as in `predict {variant}`.
        key: the store's key, from the same inputs as the work.
        work: makes and publishes the artefact; called by Prefect.
    """

    def __init__(self, name: str, key: Callable[..., str], work: Callable[..., ArtifactRef]) -> None:
        self.name = name
        self.key = key
        self.__doc__ = work.__doc__
        self.task: Task[..., ArtifactRef] = Task(
            work,
            name=work.__name__.replace("_", "-"),
            cache_key_fn=self._cache_key,
            persist_result=True,
            result_serializer="json",
        )

    def _cache_key(self, context: TaskRunContext, inputs: dict[str, Any]) -> str:
        return self.key(**inputs)

    def __call__(self, **inputs: Any) -> ArtifactRef:
        """Run the stage, or take what the store holds under its key."""
        planned = _PLANNED.get(None)
        if planned is not None:
            return self._plan(planned, inputs)
        store = workplace().store
        cached = store.find(self.key(**inputs)) is not None
        title = self._title(inputs)
        watcher().begin(title, cached)
        try:
            ref = self.task.with_options(refresh_cache=not cached, task_run_name=title)(**inputs)
            artifact = store.find(ref.key)
            if artifact is None:
                raise StoreError(f"artefact {ref.key} went missing while the stage was finishing; run again")
        except BudgetSpent as spent:
            watcher().pause(str(spent))
            raise
        except BaseException as error:
            watcher().fail(error)
            raise
        watcher().end(artifact)
        return artifact.ref()

    def _title(self, inputs: Mapping[str, Any]) -> str:
        return in_phase(self.name.format(**inputs), inputs["recipe"].phase)

    def _plan(self, planned: list[PlannedStage], inputs: Mapping[str, Any]) -> ArtifactRef:
        key = self.key(**inputs)
        found = workplace().store.find(key)
        planned.append(PlannedStage(self._title(inputs), found is not None, key))
        return found.ref() if found else ArtifactRef(key=key, digest=_UNKNOWN_DIGEST, rows=0)


def in_phase(stage: str, phase: str) -> str:
    """Name of a stage in one of the phases of a recipe, which tells it from that of the others."""
    return f"{stage} {phase}" if phase else stage


def is_only_planned() -> bool:
    """Whether stages are asked what they would do, see `only_planned`."""
    return _PLANNED.get(None) is not None


def stage(name: str, key: Callable[..., str]) -> Callable[[Callable[..., ArtifactRef]], Stage]:
    """Make a stage of a function."""

    def make(work: Callable[..., ArtifactRef]) -> Stage:
        return Stage(name, key, work)

    return make
