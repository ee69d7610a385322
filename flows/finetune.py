"""dataset -> adapter."""

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
    BatchSize,
    Epochs,
    LearningRate,
    ProfileChoice,
    RecipeChoice,
    Seed,
    resolve,
)
from flows.phases import Phases
from flows.recording import recorded
from flows.results.run import keep_results
from tasks.chosen import chosen


@flow(name="finetune", flow_run_name="finetune {recipe}-{profile}", on_failure=[show_failure])
def finetune(
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    dataset: str = "",
    epochs: Epochs = AS_RECIPE,
    learning_rate: LearningRate = AS_RECIPE,
    batch_size: BatchSize = AS_RECIPE,
    seed: Seed = SEED_AS_RECIPE,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Tune an adapter of BLIP-2 on a dataset.

    Args:
        recipe: What is made and learnt.
        profile: With which checkpoints and on what hardware.
        dataset: Digest of a dataset, or its beginning; empty takes the recipe's own, made if it is not there.
        epochs: Times each row is seen; 0 leaves the recipe's number.
        learning_rate: Highest learning rate; 0 leaves the recipe's.
        batch_size: Rows in one step; 0 leaves the recipe's number.
        seed: Seed of the run; -1 leaves the recipe's, -2 takes the day of the run.
        overrides: Further fields to change, each as section.field=value.
    """
    steps = {"finetune__batch_size": batch_size, "finetune__learning_rate": learning_rate}
    resolved = check_ready(resolve(recipe, profile, overrides, seed, finetune__epochs=epochs, **steps))
    with recorded(resolved, "finetune") as recorder:
        made = Phases(resolved, dataset=chosen("dataset", dataset) if dataset else None)
        for phase in made.names:
            made.tune(phase)
        return keep_results(recorder, made)
