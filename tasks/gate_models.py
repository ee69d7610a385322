"""The models that gates ask: judges work shards of rows, which rest in the store, whoever works them."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.curation import Gate, gates_on
from blip_core.ports import Progress, Weight
from blip_core.recipes import Recipe, Section
from blip_core.records import EXAMPLE_SCHEMA, Example, Mode
from blip_core.store import canonical_json
from blip_core.wiring import build_judge, gate_models, judge_identity
from tasks.crews import crew_for
from tasks.shards import ShardWork, in_runs, on_first_use, publish_shards, whole_batches

VERSION = 1
ROWS_PER_SHARD = 512  # as many as variants answer at once: rows of like length share a batch
_SAID = "said.json"


def models_of_gates(recipe: Recipe) -> Callable[[Gate[Any], Section], AbstractContextManager[Any]]:
    """Opens the models that a recipe's gates ask; see `curation.Models`."""
    others = gate_models(recipe)

    @contextmanager
    def opened(gate: Gate[Any], settings: Section) -> Iterator[Any]:
        if gate.port == "judge":
            yield ShardedJudge(recipe, gate.name)
            return
        with others(gate, settings) as model:
            yield model

    return opened


@contextmanager
def judging_shards(recipe: Recipe, gate: str, mode: Mode | None) -> Iterator[ShardWork[Example]]:
    """What asks a gate's judge about shards of rows, with one model for all of them.

    Args:
        recipe: whose gate asks.
        gate: its name.
        mode: in which labels are weighed; none, rows are answered.
    """
    settings = next(dials for one, dials in gates_on(recipe.curation) if one.name == gate)
    told = {
        "version": VERSION,
        "judge": judge_identity(recipe, settings),
        "mode": mode,
        **recipe.device.arithmetic(),
    }
    with on_first_use(lambda: build_judge(recipe, settings)) as judge:

        def build(folder: Path, rows: Sequence[Example], report: Progress) -> Mapping[str, Any]:
            said = [asdict(one) for one in judge().weigh(rows, mode)] if mode else judge().answer(rows)
            (folder / _SAID).write_text(strict_json.dumps(said), encoding="utf-8")
            report(len(rows), len(rows))
            return {"rows": len(said)}

        def inputs(rows: Sequence[Example], _: int) -> Mapping[str, Any]:
            return {"judged_by": told, "rows": _digest_of(rows)}

        yield ShardWork("verdicts", Example, inputs, build, schema=EXAMPLE_SCHEMA)


def _digest_of(rows: Sequence[Example]) -> str:
    said = [{**row.to_row(), "image": hashlib.sha256(row.image).hexdigest()} for row in rows]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


class ShardedJudge:
    """A judge whose verdicts rest shard by shard: what a gate or a killed run asks twice is asked once.

    Args:
        recipe: whose gate asks.
        gate: its name.
    """

    def __init__(self, recipe: Recipe, gate: str) -> None:
        self._recipe = recipe
        self._gate = gate

    def answer(self, rows: Sequence[Example]) -> list[str]:
        """Answer the questions of rows; see `Judge`."""
        return list(self._said(rows, None))

    def weigh(self, rows: Sequence[Example], mode: Mode = "both") -> list[Weight]:
        """Tell how likely the judge finds what labels say; see `Weighing`."""
        return [Weight(**one) for one in self._said(rows, mode)]

    def close(self) -> None:
        """Nothing is open here: models are closed behind the shards."""

    def _said(self, rows: Sequence[Example], mode: Mode | None) -> Iterator[Any]:
        recipe, gate = self._recipe, self._gate
        step = whole_batches(recipe.inference.batch_size, ROWS_PER_SHARD)
        with (
            judging_shards(recipe, gate, mode) as work,
            crew_for(recipe, judging_shards, gate=gate, mode=mode) as crew,
        ):
            made = publish_shards(work, in_runs(rows, step), len(rows), crew)
        for one in made:
            yield from strict_json.loads((one.path / _SAID).read_text(encoding="utf-8"))
