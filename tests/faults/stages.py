"""All stages one after the other, called directly: the work of the forge in tests without servers."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from blip_core.recipes import Recipe, load_recipe
from blip_core.store import ArtifactRef
from tasks.build_dataset import build_dataset
from tasks.compare import compare
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tasks.predict_variant import predict_variant
from tasks.stage import NoWatcher, Stage, watched_by, watcher
from tasks.tune_adapter import tune_adapter
from tasks.write_scenes import write_scenes
from tests.faults.doubles import stand_in
from tests.faults.instants import Instants, WatchedStages, arm

WORK = "tests.faults.stages:work"
NOTE = "instants.txt"
DIGESTS = "digests.json"


def work(home: str, overrides: list[str], until: str = "", fatal: str = "") -> None:
    """Run the stages up to one of them, or all, and write their digests down.

    Args:
        home: the workplace.
        overrides: of the recipe.
        until: name of the last stage; empty for all.
        fatal: instant to die at.
    """
    os.environ["FOUNDRY_HOME"] = home
    stand_in()
    instants = Instants(Path(home) / NOTE, fatal)
    arm(instants)
    digests = {}
    with watched_by(WatchedStages(NoWatcher(), instants)):
        for name, ref in run_stages(load_recipe("gallery-vqa", "pocket", overrides)):
            digests[name] = ref.digest
            if name == until:
                break
    (Path(home) / DIGESTS).write_text(json.dumps(digests))


def run_stages(recipe: Recipe) -> Iterator[tuple[str, ArtifactRef]]:
    """The whole pipeline, stage by stage; gives each one's name and what it made."""
    made: dict[str, ArtifactRef] = {}

    def run(name: str, stage: Stage, **inputs: object) -> ArtifactRef:
        watcher().begin(name, cached=False)
        work: Callable[..., ArtifactRef] = stage.task.fn
        made[name] = work(recipe=recipe, **inputs)
        return made[name]

    scenes = run("scenes", write_scenes)
    yield "scenes", scenes
    pictures = run("pictures", paint_pictures, scenes=scenes)
    yield "pictures", pictures
    labels = run("labels", label_pictures, pictures=pictures)
    yield "labels", labels
    dataset = run("dataset", build_dataset, pictures=pictures, labels=labels)
    yield "dataset", dataset
    adapter = run("finetune", tune_adapter, dataset=dataset)
    yield "finetune", adapter
    predictions = []
    for variant in recipe.variants:
        own = adapter if variant.adapter is True else None
        name = f"predict {variant.name}"
        predictions.append(run(name, predict_variant, variant=variant, dataset=dataset, adapter=own))
        yield name, predictions[-1]
    yield "compare", run("compare", compare, predictions=predictions)
