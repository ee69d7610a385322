"""recipe -> dataset -> adapter -> ladder: the whole run."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

from blip_core.wiring import check_ready
from flows.compare_variants import judge
from flows.failures import show_failure
from flows.forms import (
    AS_RECIPE,
    DEFAULT_PROFILE,
    DEFAULT_RECIPE,
    SEED_AS_RECIPE,
    Epochs,
    LearningRate,
    ProfileChoice,
    RecipeChoice,
    SceneCount,
    Seed,
    resolve,
)
from flows.phases import Phases
from flows.recording import WHOLE, recorded
from flows.results.run import keep_results
from flows.variants.resolving import keep_variants, resolve_variants


@flow(name="pipeline", flow_run_name="{recipe}-{profile}", on_failure=[show_failure])
def pipeline(
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    scenes: SceneCount = AS_RECIPE,
    epochs: Epochs = AS_RECIPE,
    learning_rate: LearningRate = AS_RECIPE,
    seed: Seed = SEED_AS_RECIPE,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Grow a dataset, tune an adapter on it and say with statistics whether that helped.

    Args:
        recipe: What is made and learnt.
        profile: With which checkpoints and on what hardware.
        scenes: Scenes that are written and painted; 0 leaves the recipe's number.
        epochs: Times each row is seen; 0 leaves the recipe's number.
        learning_rate: Highest learning rate; 0 leaves the recipe's.
        seed: Seed of the run; -1 leaves the recipe's, -2 takes the day of the run.
        overrides: Further fields to change, each as section.field=value.
    """
    fields = {"scenes__count": scenes, "finetune__epochs": epochs, "finetune__learning_rate": learning_rate}
    resolved = check_ready(resolve(recipe, profile, overrides, seed, **fields))
    variants = resolve_variants(resolved)
    with recorded(resolved, WHOLE) as recorder:
        made = Phases(resolved)
        for phase in made.names:
            made.grow(phase)
            made.tune(phase)
        scores = judge(resolved, made.datasets, made.adapters, variants)
        keep_variants(recorder, variants)
        return keep_results(recorder, made, scores)
