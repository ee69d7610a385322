"""Stage 1: a language model writes scenes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import scenes as scene_room
from blip_core import strict_json
from blip_core.ports import TextWriter
from blip_core.recipes import Recipe
from blip_core.records import SCENE_SCHEMA
from blip_core.store import Artifact, ArtifactRef, write_rows
from blip_core.wiring import build_writer, forget_answers, workplace, writer_identity
from tasks.allowance import allowance
from tasks.costs import all_costs, as_metadata, costs_of
from tasks.shards import on_first_use
from tasks.stage import stage, watcher

VERSION = 2
FILE = "scenes.parquet"
_TEXTS = "texts.json"


def key(recipe: Recipe) -> str:
    return workplace().store.key("scenes", made_by(recipe))


def made_by(recipe: Recipe) -> dict[str, Any]:
    """What decides which scenes are written, and how many."""
    return {
        "version": VERSION,
        "recipe": recipe.digest("scenes", "seed"),
        "model": writer_identity(recipe),
        **recipe.device.arithmetic(),
    }


@stage("scenes", key)
def write_scenes(recipe: Recipe) -> ArtifactRef:
    """Write the scenes of a recipe."""
    own_key = key(recipe)

    def build(folder: Path) -> dict[str, Any]:
        with on_first_use(lambda: build_writer(recipe)) as writer:
            kept = KeptAnswers(made_by(recipe.of_any_length), writer)
            scenes, counts = scene_room.write_scenes(kept, recipe.scenes, recipe.seed, watcher().progress)
        write_rows(folder / FILE, scenes, SCENE_SCHEMA)
        forget_answers(recipe, "scenes")
        return {
            "rows": len(scenes),
            "asked": recipe.scenes.count,
            **asdict(counts),
            "model": writer_identity(recipe),
            **all_costs(kept.batches),
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "scenes"}),
            "made_from": {},
            "shards": [batch.key for batch in kept.batches],
        }

    return workplace().store.publish(own_key, "scenes", build).ref()


class KeptAnswers:
    """A writer whose answers rest in the store batch by batch, so that a killed run asks for one again.

    Args:
        made_by: all that decides an answer, but for its prompt and seed.
        writer: gives the writer that is asked; not called for answers that rest already.

    Attributes:
        batches: that were answered, now or before.
    """

    def __init__(self, made_by: Mapping[str, Any], writer: Callable[[], TextWriter]) -> None:
        self._made_by = dict(made_by)
        self._writer = writer
        self.batches: list[Artifact] = []

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Continue each prompt under its own seed; see `TextWriter`."""

        def build(folder: Path) -> dict[str, Any]:
            allowance().begin(len(prompts))
            writer = self._writer()
            before = costs_of(writer)
            texts = writer.write(prompts, seeds)
            (folder / _TEXTS).write_text(strict_json.dumps(texts), encoding="utf-8")
            spent = costs_of(writer) - before
            allowance().spend(spent.requests - len(prompts))
            return {"rows": len(texts), **as_metadata(spent)}

        store = workplace().store
        shard = store.key("scenes-shard", {"made_by": self._made_by, "seeds": list(seeds)})
        answers = store.publish(shard, "scenes-shard", build)
        self.batches.append(answers)
        texts: list[str] = strict_json.loads((answers.path / _TEXTS).read_text(encoding="utf-8"))
        return texts

    def close(self) -> None:
        """Nothing is open here: whoever gave the writer closes it."""
