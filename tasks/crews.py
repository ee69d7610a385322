"""Workers elsewhere: what they are told of a shard, and what they do with it there."""

import importlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from blip_core.errors import StageFailure
from blip_core.execution import Act, Executor, Tell, Work
from blip_core.recipes import Device, Recipe
from blip_core.records import Row
from blip_core.store import read_rows, write_rows
from blip_core.wiring import prepare_environment, workplace
from blip_core.wiring.executors import build_executor, take_places, worker_places
from tasks.allowance import Allowance, allowing
from tasks.shards import Record, ShardWork

OpenShards = Callable[..., AbstractContextManager[ShardWork[Any]]]
"""A function of a stage's module that opens what the shards of one whole need, from typed plain data."""

_WORKING = f"{__name__}:shards_worked"
_HANDED = "rows.parquet"

_EXECUTORS: ContextVar[dict[Device, Executor]] = ContextVar("executors")


@contextmanager
def employing() -> Iterator[None]:
    """Keep workers from one stage to the next, and end them behind the last."""
    if _EXECUTORS.get(None) is not None:  # a run within a run
        yield
        return
    employed: dict[Device, Executor] = {}
    token = _EXECUTORS.set(employed)
    try:
        yield
    finally:
        _EXECUTORS.reset(token)
        for executor in employed.values():
            executor.close()


@dataclass(frozen=True)
class Crew:
    """Workers of one stage.

    Attributes:
        executor: who has them.
        act: what they do.
    """

    executor: Executor
    act: Act

    def told(
        self, work: ShardWork[Record], key: str, rows: Sequence[Record], start: int
    ) -> Mapping[str, Any]:
        """A shard as a worker is told of it; where its rows are large they wait in the store."""
        shard = {"key": key, "start": start}
        if work.schema is None:
            return {**shard, "rows": [row.to_row() for row in rows]}
        schema = work.schema
        handed = workplace().store.publish(
            _handed_key(key),
            "handed-rows",
            lambda folder: {"rows": write_rows(folder / _HANDED, rows, schema)},
        )
        return {**shard, "handed": handed.key}

    def forget(self, work: ShardWork[Record], key: str) -> None:
        """Remove the rows that were handed over for a shard which is finished."""
        if work.schema is not None:
            workplace().store.remove(_handed_key(key))


@contextmanager
def crew_for(
    recipe: Recipe, opens: OpenShards, loads_models: bool = True, **arguments: Any
) -> Iterator[Crew | None]:
    """Workers as a recipe names them; None where this process works itself.

    A server is asked from here: it has as many requests as it may have at once from one process, and what
    may be asked of it is counted in one place.

    Args:
        recipe: whose shards are worked.
        opens: opens what they need, called by each worker.
        loads_models: whether that is models, rather than a server or nothing.
        arguments: that it is called with, of types that pydantic takes to JSON and back.
    """
    if recipe.device.executor == "serial" or not loads_models:
        yield None
        return
    job = {
        "opens": f"{opens.__module__}:{opens.__qualname__}",
        "arguments": _to_json(opens, {"recipe": recipe, **arguments}),
        "environment": worker_places(),
    }
    with employing():
        employed = _EXECUTORS.get()
        if recipe.device not in employed:
            employed[recipe.device] = build_executor(recipe)
        yield Crew(employed[recipe.device], Act(_WORKING, job))


@contextmanager
def shards_worked(job: Mapping[str, Any]) -> Iterator[Work]:
    """What a worker opens for all shards that it is sent of a whole; see `execution.Open`."""
    take_places(job["environment"])
    prepare_environment(workplace())
    module, _, name = job["opens"].partition(":")
    opens: OpenShards = getattr(importlib.import_module(module), name)
    with opens(**_from_json(opens, job["arguments"])) as work:
        yield lambda shard, tell: _worked(work, shard, tell)


def _worked(work: ShardWork[Any], shard: Mapping[str, Any], tell: Tell) -> Mapping[str, Any]:
    """Publish a shard; tells what was asked of a model beyond what every shard asks."""
    rows = _rows_of(work, shard)
    key = work.key(rows, shard["start"])
    if key != shard["key"]:
        raise StageFailure(
            f"the worker on {socket.gethostname()} would make {key} where {shard['key']} is wanted: it has "
            "another version of this package, or other checkpoints, than the run; install the same there"
        )
    with allowing(Allowance()) as spent:
        work.publish(key, rows, tell)
    return {"requests": spent.asked}


def _rows_of(work: ShardWork[Any], shard: Mapping[str, Any]) -> list[Row]:
    if "rows" in shard:
        return [work.record.from_row(row) for row in shard["rows"]]
    handed = workplace().store.find(shard["handed"])
    if handed is None:
        raise StageFailure(
            f"the worker on {socket.gethostname()} finds no {shard['handed']} in its store: workers need the "
            "same store as the run, a folder that all share or one behind an address"
        )
    return read_rows(handed.path / _HANDED, work.record)


def _handed_key(key: str) -> str:
    return workplace().store.key("handed-rows", {"shard": key})


def _to_json(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    types = get_type_hints(function)
    return {
        name: TypeAdapter(types[name]).dump_python(value, mode="json") for name, value in arguments.items()
    }


def _from_json(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    types = get_type_hints(function)
    return {name: TypeAdapter(types[name]).validate_python(value) for name, value in arguments.items()}
