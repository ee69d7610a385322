"""Work in shards: each rests in the store under its own key, so that a killed run redoes one at the most."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from blip_core.ports import Progress
from blip_core.store import Artifact
from blip_core.wiring import workplace
from tasks.stage import watcher

ROWS_PER_SHARD = 96  # about one row group; batches of 2, 4, 8, 16 and 32 rows fill it exactly

Input = TypeVar("Input")
BuildShard = Callable[[Path, Sequence[Input], Progress], Mapping[str, Any]]


class Closable(Protocol):
    def close(self) -> None: ...


Model = TypeVar("Model", bound=Closable)


@contextmanager
def on_first_use(load: Callable[[], Model]) -> Iterator[Callable[[], Model]]:
    """Give a way to a model that is loaded when it is first asked for, and closed at the end."""
    loaded: list[Model] = []

    def get() -> Model:
        if not loaded:
            loaded.append(load())
        return loaded[0]

    try:
        yield get
    finally:
        for model in loaded:
            model.close()


def whole_batches(batch_size: int, at_least: int = ROWS_PER_SHARD) -> int:
    """Rows of a shard that batches of one size fill exactly."""
    return -(-at_least // batch_size) * batch_size


def in_shards(
    kind: str,
    key: str,
    rows: Iterable[Input],
    build: BuildShard[Input],
    rows_per_shard: int | None = None,
    total: int | None = None,
) -> list[Artifact]:
    """Publish one artefact for each run of rows, in order; those that rest already stay.

    Args:
        kind: what the whole holds.
        key: key of the whole; its shards are keyed by it and by where they start.
        rows: all rows, in id order; one shard of them is asked for at a time.
        build: makes the files of one shard and reports rows done of that shard.
        rows_per_shard: length of a run; `ROWS_PER_SHARD` unless told otherwise.
        total: how many rows there are, for those who watch; told where `rows` has no length.
    """
    store = workplace().store
    step = rows_per_shard or ROWS_PER_SHARD
    expected = len(rows) if isinstance(rows, Sized) else total or 0
    shards: list[Artifact] = []
    waiting, start = iter(rows), 0
    while shard := list(islice(waiting, step)):
        shard_key = store.key(f"{kind}-shard", {"whole": key, "start": start, "rows": len(shard)})
        make = _bind(build, shard, start, expected)
        shards.append(store.publish(shard_key, f"{kind}-shard", make))
        start += len(shard)
        watcher().progress(start, max(start, expected))
    return shards


def _bind(
    build: BuildShard[Input], shard: Sequence[Input], start: int, total: int
) -> Callable[[Path], Mapping[str, Any]]:
    def report(done: int, whole: int) -> None:
        """A shard may count something else than its rows: questions about pictures, say."""
        watcher().progress(start + done * len(shard) // whole, total)

    return lambda folder: build(folder, shard, report)
