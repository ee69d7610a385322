"""The models that gates ask: they work shards of rows, which rest in the store, whoever works them."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from blip_core import strict_json
from blip_core.curation import Gate, gates_on
from blip_core.ports import TEXTS_AT_ONCE, Progress, Weight
from blip_core.recipes import Recipe, Section
from blip_core.records import EXAMPLE_SCHEMA, Example, Mode, Row
from blip_core.store import canonical_json
from blip_core.wiring import gate_model_identity, gate_models
from tasks.crews import crew_for
from tasks.shards import ShardWork, in_runs, publish_shards, whole_batches

VERSION = 2
ROWS_PER_SHARD = 512  # as many as variants answer at once: rows of like length share a batch
_SAID = "said.json"
_DIALS = {"model", "labels", "safe_labels", "batch_size"}  # of a gate's section, that its model is asked by


@dataclass(frozen=True, slots=True)
class PictureFile(Row):
    """A picture that a model is asked about."""

    image: bytes


@dataclass(frozen=True, slots=True)
class Text(Row):
    """A text that a model is asked about."""

    text: str


@dataclass(frozen=True)
class _Port:
    """How the model behind a gate's port is asked about a shard.

    Attributes:
        record: what a row is.
        schema: of rows with pictures, which go to workers through the store.
        ask: gives what a model says of each row, as JSON has it; judges are told a mode, or none.
        batch: rows that the model works at once, which shards are made of.
        model: what a gate gets, which has the shards worked.
    """

    record: type[Row]
    schema: pa.Schema | None
    ask: Callable[[Any, Sequence[Any], Mode | None], Sequence[Any]]
    batch: Callable[[Recipe, Any], int]
    model: Callable[[Recipe, str], Any]


def models_of_gates(recipe: Recipe) -> Callable[[Gate[Any], Section], AbstractContextManager[Any]]:
    """Opens the models that a recipe's gates ask; see `curation.Models`."""
    others = gate_models(recipe)

    def opened(gate: Gate[Any], settings: Section) -> AbstractContextManager[Any]:
        if gate.port not in _PORTS:
            return others(gate, settings)
        return nullcontext(_PORTS[gate.port].model(recipe, gate.name))

    return opened


@contextmanager
def asking_shards(recipe: Recipe, gate: str, mode: Mode | None) -> Iterator[ShardWork[Any]]:
    """What asks a gate's model about shards of rows, with one model for all of them.

    Args:
        recipe: whose gate asks.
        gate: its name.
        mode: in which a judge weighs labels; none, rows are answered.
    """
    asking, settings = _gate_named(recipe, gate)
    port = _PORTS[asking.port]
    told = {
        "version": VERSION,
        "port": asking.port,
        "model": gate_model_identity(recipe, asking, settings),
        "dials": settings.model_dump(mode="json", include=_DIALS),
        "mode": mode,
        **recipe.device.arithmetic(),
    }
    with ExitStack() as opened:

        @cache
        def model() -> Any:
            return opened.enter_context(gate_models(recipe)(asking, settings))

        def build(folder: Path, rows: Sequence[Any], report: Progress) -> Mapping[str, Any]:
            said = port.ask(model(), rows, mode)
            (folder / _SAID).write_text(strict_json.dumps(said), encoding="utf-8")
            report(len(rows), len(rows))
            return {"rows": len(said)}

        def inputs(rows: Sequence[Any], _: int) -> Mapping[str, Any]:
            return {"asked_by": told, "rows": _digest_of(rows)}

        yield ShardWork("verdicts", port.record, inputs, build, schema=port.schema)


def _gate_named(recipe: Recipe, name: str) -> tuple[Gate[Any], Section]:
    return next((gate, settings) for gate, settings in gates_on(recipe.curation) if gate.name == name)


def _digest_of(rows: Sequence[Any]) -> str:
    """Digest of all that rows say, pictures told by their own."""
    said = [row.to_row() for row in rows]
    for row, told in zip(rows, said, strict=True):
        if "image" in told:
            told["image"] = hashlib.sha256(row.image).hexdigest()
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


class _Sharded:
    """A gate's model whose words rest shard by shard: what a gate or a killed run asks twice is asked once.

    Args:
        recipe: whose gate asks.
        gate: its name.
    """

    def __init__(self, recipe: Recipe, gate: str) -> None:
        self._recipe = recipe
        self._gate = gate

    def close(self) -> None:
        """Nothing is open here: models are closed behind the shards."""

    def _said(self, rows: Sequence[Row], mode: Mode | None = None) -> Iterator[Any]:
        """What the model says of each row, in order."""
        recipe, gate = self._recipe, self._gate
        asking, settings = _gate_named(recipe, gate)
        step = whole_batches(_PORTS[asking.port].batch(recipe, settings), ROWS_PER_SHARD)
        with (
            asking_shards(recipe, gate, mode) as work,
            crew_for(recipe, asking_shards, gate=gate, mode=mode) as crew,
        ):
            made = publish_shards(work, in_runs(rows, step), len(rows), crew)
        for one in made:
            yield from strict_json.loads((one.path / _SAID).read_text(encoding="utf-8"))


class ShardedJudge(_Sharded):
    """Verdicts that rest shard by shard."""

    def answer(self, rows: Sequence[Example]) -> list[str]:
        """Answer the questions of rows; see `Judge`."""
        return list(self._said(rows))

    def weigh(self, rows: Sequence[Example], mode: Mode = "both") -> list[Weight]:
        """Tell how likely the judge finds what labels say; see `Weighing`."""
        return [Weight(**one) for one in self._said(rows, mode)]


class ShardedCheck(_Sharded):
    """Scores of pictures that rest shard by shard."""

    def check(self, pictures: Sequence[bytes]) -> list[float | str]:
        """Tell how likely each is unsafe; see `PictureCheck`."""
        return list(self._said([PictureFile(one) for one in pictures]))


class ShardedEmbedder(_Sharded):
    """Vectors of texts that rest shard by shard."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed texts; see `Embedder`."""
        return list(self._said([Text(one) for one in texts]))


def _judged(judge: Any, rows: Sequence[Example], mode: Mode | None) -> list[Any]:
    return [asdict(one) for one in judge.weigh(rows, mode)] if mode else judge.answer(rows)


_PORTS: Mapping[str | None, _Port] = {
    "judge": _Port(
        Example, EXAMPLE_SCHEMA, _judged, lambda recipe, _: recipe.inference.batch_size, ShardedJudge
    ),
    "safety checker": _Port(
        PictureFile,
        pa.schema([("image", pa.binary())]),
        lambda check, pictures, _: check.check([one.image for one in pictures]),
        lambda _, settings: settings.batch_size,
        ShardedCheck,
    ),
    "embedder": _Port(
        Text,
        None,
        lambda embedder, texts, _: embedder.embed([one.text for one in texts]),
        lambda *_: TEXTS_AT_ONCE,
        ShardedEmbedder,
    ),
}
