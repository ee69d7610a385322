"""dataset + adapter -> answers of every variant -> ladder."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import check_ready
from flows.finetune import tune
from flows.forms import (
    DEFAULT_PROFILE,
    DEFAULT_RECIPE,
    SEED_AS_RECIPE,
    ProfileChoice,
    RecipeChoice,
    Seed,
    resolve,
)
from flows.recording import recorded
from flows.regenerate_dataset import grow_dataset
from flows.results import keep_results
from tasks.chosen import chosen_pair
from tasks.compare import compare
from tasks.predict_variant import predict_variant


@flow(name="compare-variants", flow_run_name="compare-variants {recipe}-{profile}")
def compare_variants(
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    dataset: str = "",
    adapter: str = "",
    seed: Seed = SEED_AS_RECIPE,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Let every variant answer the same questions and say with statistics who is better.

    Args:
        recipe: What is made and learnt.
        profile: With which checkpoints and on what hardware.
        dataset: Digest of a dataset, or its beginning; empty takes the adapter's or the recipe's own.
        adapter: Digest of an adapter, or its beginning; empty takes the one of recipe and dataset.
        seed: Seed of the run; -1 leaves the recipe's, -2 takes the day of the run.
        overrides: Further fields to change, each as section.field=value.
    """
    plan = resolve(recipe, profile, overrides, seed)
    check_ready(plan)
    with recorded(plan, "compare-variants") as recorder:
        rows, tuned = chosen_pair(dataset, adapter)
        rows = rows or grow_dataset(plan)
        tuned = tuned or tune(plan, rows)
        return keep_results(recorder, dataset=rows, adapter=tuned, scores=judge(plan, rows, tuned))


@flow(name="judge", flow_run_name="judge {recipe.name}")
def judge(recipe: Recipe, dataset: ArtifactRef, adapter: ArtifactRef | None) -> ArtifactRef:
    """Let every variant answer the same rows and compare them.

    Args:
        recipe: the resolved recipe.
        dataset: where the rows come from, if the recipe judges by its test split.
        adapter: the adapter of the variants that carry the one of this run.
    """
    predictions = []
    for variant in recipe.variants:
        own = adapter if variant.adapter is True else None
        predictions.append(predict_variant(recipe=recipe, variant=variant, dataset=dataset, adapter=own))
    return compare(recipe=recipe, predictions=predictions)
