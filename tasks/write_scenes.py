"""Stage 1: a language model writes scenes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import scenes as scene_room
from blip_core import strict_json
from blip_core.ports import Progress, TextWriter
from blip_core.recipes import Recipe, ServedModel
from blip_core.records import SCENE_SCHEMA
from blip_core.scenes import SceneCall
from blip_core.store import Artifact, ArtifactRef, write_rows
from blip_core.wiring import build_writer, forget_answers, workplace, writer_identity
from tasks.allowance import allowance
from tasks.costs import all_costs, as_metadata, costs_of
from tasks.crews import Crew, crew_for
from tasks.shards import ShardWork, on_first_use, publish_shards
from tasks.stage import NoWatcher, stage, watched_by, watcher

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


@contextmanager
def writing_shards(recipe: Recipe) -> Iterator[ShardWork[SceneCall]]:
    """What answers batches of calls, with one writer for all of them."""
    with on_first_use(lambda: build_writer(recipe)) as writer:
        yield answering_calls(made_by(recipe.of_any_length), writer, recipe.scenes.per_call)


def answering_calls(
    answered_by: Mapping[str, Any], writer: Callable[[], TextWriter], per_call: int = 1
) -> ShardWork[SceneCall]:
    """What answers batches of calls.

    Args:
        answered_by: all that decides an answer, but for its prompt and seed.
        writer: gives the writer that is asked; not called for answers that rest already.
        per_call: scenes that a call asks for.
    """

    def inputs(calls: Sequence[SceneCall], _: int) -> Mapping[str, Any]:
        return {"made_by": dict(answered_by), "seeds": [call.seed for call in calls]}

    def build(folder: Path, calls: Sequence[SceneCall], report: Progress) -> Mapping[str, Any]:
        model = writer()
        before = costs_of(model)
        texts = scene_room.answers_to(model, calls)
        (folder / _TEXTS).write_text(strict_json.dumps(texts), encoding="utf-8")
        spent = costs_of(model) - before
        allowance().spend(spent.requests - len(calls))
        report(len(texts), len(calls))
        return {"rows": len(texts), **as_metadata(spent)}

    return ShardWork("scenes", SceneCall, inputs, build, requests=1, worth=per_call)


@stage("scenes", key)
def write_scenes(recipe: Recipe) -> ArtifactRef:
    """Write the scenes of a recipe."""
    own_key = key(recipe)

    def build(folder: Path) -> dict[str, Any]:
        with writing_shards(recipe) as work, crew_for(recipe, writing_shards, _loads_model(recipe)) as crew:
            kept = KeptAnswers(work, crew)
            if crew:
                kept.foresee(scene_room.certain_calls(recipe.scenes, recipe.seed))
            scenes, counts = scene_room.collect_scenes(
                kept.ask, recipe.scenes, recipe.seed, watcher().progress
            )
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
    """Answers that rest in the store batch by batch, so that a killed run asks for one again.

    Args:
        work: makes them.
        crew: others who can do the same; nobody, this process does.

    Attributes:
        batches: that were asked for, in order.
    """

    def __init__(self, work: ShardWork[SceneCall], crew: Crew | None = None) -> None:
        self._work = work
        self._crew = crew
        self.batches: list[Artifact] = []

    def foresee(self, batches: Sequence[Sequence[SceneCall]]) -> None:
        """Have batches answered that will be asked for, several at a time."""
        publish_shards(self._work, batches, sum(map(len, batches)), self._crew)

    def ask(self, calls: Sequence[SceneCall]) -> list[str]:
        """Answer a batch of calls; see `scenes.Ask`."""
        with watched_by(NoWatcher()):  # whoever collects scenes tells how far that is
            (answers,) = publish_shards(self._work, [calls], len(calls), self._crew)
        self.batches.append(answers)
        texts: list[str] = strict_json.loads((answers.path / _TEXTS).read_text(encoding="utf-8"))
        return texts


def _loads_model(recipe: Recipe) -> bool:
    return recipe.scenes.plugin is not None or not isinstance(recipe.scenes.model, ServedModel)
