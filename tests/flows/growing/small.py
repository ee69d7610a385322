"""The recipe of the tests of growth, its doubles, and how its stages are worked without Prefect."""

from pathlib import Path

from blip_core.recipes import Recipe, load_recipe
from blip_core.store import ArtifactRef
from tasks.build_dataset import build_dataset
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tasks.write_scenes import write_scenes
from tests.faults.doubles import SeededLabeller, SeededWriter, small_recipe

STEP = 4  # scenes
DOUBLED = {"tasks.shards.ROWS_PER_SHARD": STEP}


def doubled():
    return {
        "tasks.write_scenes.build_writer": lambda recipe: SeededWriter(),
        "tasks.label_pictures.build_labeller": lambda recipe: SeededLabeller(),
    }


def small(folder: Path, *overrides: str) -> Recipe:
    return load_recipe("gallery-vqa", "pocket", [*small_overrides(folder), *overrides])


def small_overrides(folder: Path) -> list[str]:
    for family in ("opt", "t5"):
        (folder / family).mkdir(exist_ok=True)
    gates = [f"curation.{name}.enabled=false" for name in ("near_duplicates", "letter_balance")]
    return [*small_recipe(folder), *gates]


def make(recipe: Recipe) -> ArtifactRef:
    """The dataset of a recipe, its stages worked as plain functions."""
    scenes = write_scenes.task.fn(recipe=recipe)
    pictures = paint_pictures.task.fn(recipe=recipe, scenes=scenes)
    labels = label_pictures.task.fn(recipe=recipe, pictures=pictures)
    return build_dataset.task.fn(recipe=recipe, pictures=pictures, labels=labels)
