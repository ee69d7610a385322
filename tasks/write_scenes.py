"""Stage 1: a language model writes scenes."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import scenes as scene_room
from blip_core.recipes import Recipe
from blip_core.records import SCENE_SCHEMA
from blip_core.store import ArtifactRef, write_rows
from blip_core.wiring import build_writer, checkpoint_identity, workplace
from tasks.stage import stage, watcher

VERSION = 1
FILE = "scenes.parquet"


def key(recipe: Recipe) -> str:
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("scenes", "seed"),
        "model": checkpoint_identity(recipe.scenes.model),
    }
    return workplace().store.key("scenes", inputs)


@stage("scenes", key)
def write_scenes(recipe: Recipe) -> ArtifactRef:
    """Write the scenes of a recipe."""

    def build(folder: Path) -> dict[str, Any]:
        with closing(build_writer(recipe)) as writer:
            scenes, counts = scene_room.write_scenes(writer, recipe.scenes, recipe.seed, watcher().progress)
        write_rows(folder / FILE, scenes, SCENE_SCHEMA)
        return {"rows": len(scenes), "asked": recipe.scenes.count, **asdict(counts)}

    return workplace().store.publish(key(recipe), "scenes", build).ref()
