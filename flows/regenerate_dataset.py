"""scenes -> pictures -> labels -> dataset."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

from blip_core.dataset.growth import Target
from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import check_ready
from flows.failures import show_failure
from flows.forms import (
    AS_RECIPE,
    DEFAULT_PROFILE,
    DEFAULT_RECIPE,
    SEED_AS_RECIPE,
    Amount,
    Hours,
    ProfileChoice,
    RecipeChoice,
    SceneCount,
    Seed,
    ShareBound,
    resolve,
)
from flows.growing.growing import grow
from flows.growing.telling import Bounds, alert_failure, keep_growth
from flows.phases import Phases
from flows.recording import recorded
from flows.results.run import keep_results


@flow(
    name="regenerate-dataset",
    flow_run_name="regenerate-dataset {recipe}-{profile}",
    on_failure=[show_failure, alert_failure],
)
def regenerate_dataset(
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    scenes: SceneCount = AS_RECIPE,
    seed: Seed = SEED_AS_RECIPE,
    overrides: Sequence[str] = (),
    rows: Amount = 0,
    more: Amount = 0,
    balance: ShareBound = 0.0,
    hours: Hours = 0.0,
    requests: Amount = 0,
    most_refused: ShareBound = 0.5,
    most_drift: ShareBound = 0.2,
) -> dict[str, Any]:
    """Make a dataset of pictures, descriptions and questions, or extend the last version of one.

    Where rows, more, balance, hours or requests is set, the last version is extended.

    Args:
        recipe: What is made and learnt.
        profile: With which checkpoints and on what hardware.
        scenes: Scenes that are written and painted; 0 leaves the recipe's number. Growth does not look at it.
        seed: Another seed makes another dataset; -1 leaves the recipe's, -2 takes the day of the run.
        overrides: Further fields to change, each as section.field=value.
        rows: Extend the last version until it has so many rows.
        more: Extend the last version by so many rows.
        balance: Extend it until the rarest answer letter and category have this share of the commonest's.
        hours: Begin nothing more after so many hours; what is whole by then is the version.
        requests: Ask the models for no more texts than this, lists of scenes and labels; 0 sets no limit.
        most_refused: Call somebody if a larger share of the questions asked becomes no row.
        most_drift: Call somebody if letters, kinds or categories of the new rows lie further away.
    """
    resolved = check_ready(resolve(recipe, profile, overrides, seed, scenes__count=scenes))
    target = Target(rows, more, balance, hours, requests)
    with recorded(resolved, "regenerate-dataset") as recorder:
        if not target.is_set:
            made = Phases(resolved)
            for phase in made.names:
                made.grow(phase)
            return keep_results(recorder, made)
        growth = grow(resolved, target, _whole_dataset)
        recorder.recipe = growth.recipe
        told = keep_results(recorder, Phases(growth.recipe, growth.dataset))
        return told | {"growth": keep_growth(recorder, growth, Bounds(most_refused, most_drift))}


def _whole_dataset(recipe: Recipe) -> ArtifactRef:
    return Phases(recipe).grow(recipe.last_phase)
