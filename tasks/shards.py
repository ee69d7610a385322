"""Work in shards: each rests in the store under its own key, so that a killed run redoes one at the most."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from blip_core.ports import Progress
from blip_core.records import Row
from blip_core.scenes import number_of
from blip_core.store import Artifact, canonical_json
from blip_core.wiring import workplace
from tasks.allowance import allowance
from tasks.stage import watcher

ROWS_PER_SHARD = 96  # about one row group; batches of 2, 4, 8, 16 and 32 rows fill it exactly

Input = TypeVar("Input")
Record = TypeVar("Record", bound=Row)
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

    def inputs(shard: Sequence[Input], start: int) -> dict[str, Any]:
        return {"whole": key, "start": start, "rows": len(shard)}

    expected = len(rows) if isinstance(rows, Sized) else total or 0
    return _published(kind, in_runs(rows, rows_per_shard or ROWS_PER_SHARD), inputs, build, expected)


def in_own_shards(
    kind: str,
    made_by: Mapping[str, Any],
    shards: Sequence[Sequence[Record]],
    build: BuildShard[Record],
    requests: int = 0,
) -> list[Artifact]:
    """Publish one artefact for each shard under a key of its own rows, whatever else the whole holds.

    So a longer run takes the shards of a shorter one.

    Args:
        kind: what the whole holds.
        made_by: all that decides what is made of a row, but for the row.
        shards: rows in order; pictures are told by their digests.
        build: see `in_shards`.
        requests: that a model gets for a row at the least; see `tasks.allowance`.
    """

    def inputs(shard: Sequence[Record], start: int) -> dict[str, Any]:
        del start
        return {"made_by": dict(made_by), "rows": digest_of_rows(shard)}

    return _published(kind, shards, inputs, build, sum(map(len, shards)), requests)


def digest_of_rows(rows: Iterable[Row]) -> str:
    """Digest of what rows say: sha256 of their JSON, in hex; pictures tell their bytes by `sha256`."""
    said = [
        {name: value for name, value in row.to_row().items() if not isinstance(value, bytes)} for row in rows
    ]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def in_runs(rows: Iterable[Input], length: int) -> Iterator[list[Input]]:
    """Rows in runs of a length, the last of which may be shorter."""
    waiting = iter(rows)
    while run := list(islice(waiting, length)):
        yield run


def on_scene_grid(rows: Sequence[Record], scene: Callable[[Record], str]) -> list[list[Record]]:
    """Rows in shards of `ROWS_PER_SHARD` scenes each, whichever of them are missing.

    Args:
        rows: in the order of their scenes.
        scene: id of a row's scene.
    """
    return [list(found) for _, found in groupby(rows, lambda row: number_of(scene(row)) // ROWS_PER_SHARD)]


def _published(
    kind: str,
    shards: Iterable[Sequence[Input]],
    inputs: Callable[[Sequence[Input], int], Mapping[str, Any]],
    build: BuildShard[Input],
    expected: int,
    requests: int = 0,
) -> list[Artifact]:
    store = workplace().store
    made: list[Artifact] = []
    start = 0
    for shard in shards:
        key = store.key(f"{kind}-shard", inputs(shard, start))
        made.append(store.publish(key, f"{kind}-shard", _bind(build, shard, start, expected, requests)))
        start += len(shard)
        allowance().whole[kind] = len(made)
        watcher().progress(start, max(start, expected))
    return made


def _bind(
    build: BuildShard[Input], shard: Sequence[Input], start: int, total: int, requests: int
) -> Callable[[Path], Mapping[str, Any]]:
    def report(done: int, whole: int) -> None:
        """A shard may count something else than its rows: questions about pictures, say."""
        watcher().progress(start + done * len(shard) // whole, total)

    def make(folder: Path) -> Mapping[str, Any]:
        allowance().begin(requests * len(shard))
        return build(folder, shard, report)

    return make
