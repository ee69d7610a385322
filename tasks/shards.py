"""Work in shards: each rests in the store under its own key, so that a killed run redoes one at the most."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pyarrow as pa

from blip_core.errors import StageFailure
from blip_core.execution import Act, Serial, WorkItem
from blip_core.ports import Progress
from blip_core.records import Row
from blip_core.scenes import number_of
from blip_core.store import Artifact, canonical_json
from blip_core.wiring import workplace
from tasks.allowance import allowance
from tasks.stage import watcher

if TYPE_CHECKING:
    from tasks.crews import Crew

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


@dataclass(frozen=True)
class ShardWork(Generic[Record]):
    """What is made of a shard, whoever makes it.

    Attributes:
        kind: what the whole holds; its shards are of the kind `KIND-shard`.
        record: what a row is.
        inputs: of a shard's key: from its rows, and how many rows lie before them.
        build: makes the files of one shard and reports rows done of that shard.
        requests: that a model gets for a row at the least; see `tasks.allowance`.
        schema: of rows that are too large for a message, which go to workers through the store.
        worth: what a row counts for those who watch: a call for scenes as many as it is asked for.
    """

    kind: str
    record: type[Record]
    inputs: Callable[[Sequence[Record], int], Mapping[str, Any]]
    build: BuildShard[Record]
    requests: int = 0
    schema: pa.Schema | None = None
    worth: int = 1

    def key(self, rows: Sequence[Record], start: int) -> str:
        """The store's key of a shard."""
        return workplace().store.key(f"{self.kind}-shard", self.inputs(rows, start))

    def publish(self, key: str, rows: Sequence[Record], report: Progress) -> Artifact:
        """Make a shard, or take the one that is there."""
        return workplace().store.publish(
            key, f"{self.kind}-shard", lambda folder: self.build(folder, rows, report)
        )


def by_place(whole: str) -> Callable[[Sequence[Any], int], Mapping[str, Any]]:
    """Key shards by the key of the whole and by where they start."""
    return lambda rows, start: {"whole": whole, "start": start, "rows": len(rows)}


def by_rows(made_by: Mapping[str, Any]) -> Callable[[Sequence[Row], int], Mapping[str, Any]]:
    """Key shards by their own rows, whatever else the whole holds: a longer run takes those of a shorter one.

    Args:
        made_by: all that decides what is made of a row, but for the row; pictures are told by their digests.
    """
    return lambda rows, start: {"made_by": dict(made_by), "rows": digest_of_rows(rows)}


def publish_shards(
    work: ShardWork[Record],
    shards: Iterable[Sequence[Record]],
    rows: int,
    crew: "Crew | None" = None,
) -> list[Artifact]:
    """Publish one artefact for each shard, in order; those that rest already stay.

    Args:
        work: what is made of each.
        shards: their rows, in order; they are asked for one at a time.
        rows: how many there are, for those who watch.
        crew: others who can do the same; nobody, this process does.
    """
    gathering = _Gathering(work, rows, crew)
    executor = crew.executor if crew else Serial()
    act = crew.act if crew else Act("", {})
    results = executor.work(act, gathering.missing(shards), gathering.tell)
    for result in results:
        gathering.take(result)
    return gathering.in_order()


class _Gathering(Generic[Record]):
    """What is there of a whole, shard by shard, and how far those are that are under way."""

    def __init__(self, work: ShardWork[Record], rows: int, crew: "Crew | None") -> None:
        self._work = work
        self._crew = crew
        self._rows = rows
        self._made: dict[int, Artifact] = {}
        self._sent: list[tuple[int, int, str]] = []  # place, rows and key of each that is worked
        self._taken = 0
        self._under_way: dict[int, float] = {}
        self._whole_rows = 0
        self._told = 0

    def missing(self, shards: Iterable[Sequence[Record]]) -> Iterator[WorkItem]:
        """Those that the store does not hold, as long as the allowance covers them."""
        start = 0
        for place, shard in enumerate(shards):
            key = self._work.key(shard, start)
            found = workplace().store.find(key)
            if found is not None:
                self._keep(place, found, len(shard))
            else:
                allowance().begin(self._work.requests * len(shard))
                self._sent.append((place, len(shard), key))
                yield self._item(key, shard, start)
            start += len(shard)

    def _item(self, key: str, shard: Sequence[Record], start: int) -> WorkItem:
        def here(tell: Progress) -> Mapping[str, Any]:
            self._work.publish(key, shard, tell)
            return {}

        def told() -> Mapping[str, Any]:
            return self._crew.told(self._work, key, shard, start) if self._crew else {}

        return WorkItem(f"the shard of {self._work.kind} from row {start + 1:,}", told, here, len(shard))

    def tell(self, number: int, done: int, of: int) -> None:
        """Take in how far a shard is; it may count something else than its rows: questions, say."""
        self._under_way[number] = self._sent[number][1] * done / of
        self._report()

    def take(self, result: Mapping[str, Any]) -> None:
        """Take in what came of the next one that was worked."""
        place, rows, key = self._sent[self._taken]
        self._under_way.pop(self._taken, None)
        self._taken += 1
        allowance().spend(int(result.get("requests", 0)))
        found = workplace().store.find(key)
        if found is None:
            raise StageFailure(
                f"a worker made {key}, and this store does not hold it: workers need the same store as the "
                "run, a folder that all share or one behind an address"
            )
        if self._crew:
            self._crew.forget(self._work, key)
        self._keep(place, found, rows)

    def in_order(self) -> list[Artifact]:
        return [self._made[place] for place in sorted(self._made)]

    def _keep(self, place: int, artifact: Artifact, rows: int) -> None:
        self._made[place] = artifact
        self._whole_rows += rows
        allowance().whole[self._work.kind] = len(self._made)
        self._report()

    def _report(self) -> None:
        """Tell rows done, never fewer than before, though a worker that died leaves its shard undone."""
        self._told = max(self._told, self._whole_rows + int(sum(self._under_way.values())))
        worth = self._work.worth
        watcher().progress(self._told * worth, max(self._told, self._rows) * worth)


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
