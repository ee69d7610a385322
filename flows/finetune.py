"""dataset -> adapter."""

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
    BatchSize,
    Epochs,
    LearningRate,
    ProfileChoice,
    RecipeChoice,
    Seed,
    resolve,
)
from flows.recording import recorded
from flows.regenerate_dataset import grow_dataset
from flows.results.run import keep_results
from tasks.chosen import chosen
from tasks.tune_adapter import tune_adapter


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
    resolved = resolve(
        recipe,
        profile,
        overrides,
        seed,
        finetune__epochs=epochs,
        finetune__learning_rate=learning_rate,
        finetune__batch_size=batch_size,
    )
    check_ready(resolved)
    with recorded(resolved, "finetune") as recorder:
        rows = chosen("dataset", dataset) if dataset else grow_dataset(resolved)
        return keep_results(recorder, dataset=rows, adapter=tune(resolved, rows))


@flow(name="tune", flow_run_name="tune {recipe.name}")
def tune(recipe: Recipe, dataset: ArtifactRef) -> ArtifactRef:
    """Tune the adapter of a recipe on a dataset.

    Args:
        recipe: the resolved recipe.
        dataset: the dataset to learn from.
    """
    return tune_adapter(recipe=recipe, dataset=dataset)
