"""scenes -> pictures -> labels -> dataset."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

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
from flows.phases import Phases
from flows.recording import recorded
from flows.results.run import keep_results


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
    resolved = check_ready(resolve(recipe, profile, overrides, seed, scenes__count=scenes))
    with recorded(resolved, "regenerate-dataset") as recorder:
        made = Phases(resolved)
        for phase in made.names:
            made.grow(phase)
        return keep_results(recorder, made)
