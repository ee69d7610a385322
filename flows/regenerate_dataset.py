"""scenes -> pictures -> labels -> dataset."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import check_ready
from flows.failures import show_failure
from flows.forms import (
    AS_RECIPE,
    DEFAULT_PROFILE,
    DEFAULT_RECIPE,
    SEED_AS_RECIPE,
    ProfileChoice,
    RecipeChoice,
    SceneCount,
    Seed,
    resolve,
)
from flows.recording import recorded
from flows.results.run import keep_results
from tasks.build_dataset import build_dataset
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tasks.read_pictures import read_pictures
from tasks.read_table import read_table
from tasks.write_scenes import write_scenes


@flow(
    name="regenerate-dataset",
    flow_run_name="regenerate-dataset {recipe}-{profile}",
    on_failure=[show_failure],
)
def regenerate_dataset(
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    scenes: SceneCount = AS_RECIPE,
    seed: Seed = SEED_AS_RECIPE,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Grow a dataset of pictures, descriptions and questions.

    Args:
        recipe: What is made and learnt.
        profile: With which checkpoints and on what hardware.
        scenes: Scenes that are written and painted; 0 leaves the recipe's number.
        seed: Another seed grows another dataset; -1 leaves the recipe's, -2 takes the day of the run.
        overrides: Further fields to change, each as section.field=value.
    """
    resolved = resolve(recipe, profile, overrides, seed, scenes__count=scenes)
    check_ready(resolved)
    with recorded(resolved, "regenerate-dataset") as recorder:
        return keep_results(recorder, dataset=grow_dataset(resolved))


@flow(name="grow-dataset", flow_run_name="grow-dataset {recipe.name}")
def grow_dataset(recipe: Recipe) -> ArtifactRef:
    """Grow the dataset of a recipe from nothing but prompts, or from the source it names.

    Args:
        recipe: the resolved recipe.
    """
    if recipe.source.kind == "table" and recipe.source.questions == "table":
        return read_table(recipe=recipe)
    if recipe.source.kind in ("table", "folder", "plugin"):
        pictures = read_pictures(recipe=recipe)
    else:
        scenes = write_scenes(recipe=recipe)
        pictures = paint_pictures(recipe=recipe, scenes=scenes)
    labels = label_pictures(recipe=recipe, pictures=pictures)
    return build_dataset(recipe=recipe, pictures=pictures, labels=labels)
