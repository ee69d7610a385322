"""dataset + adapter -> answers of every variant -> ladder."""

from collections.abc import Sequence
from typing import Any

from prefect import flow

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import check_ready
from flows.failures import show_failure
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
from flows.results.run import keep_results
from flows.variants.choosing import with_variants
from flows.variants.resolving import ResolvedVariant, keep_variants, resolve_variants
from tasks.chosen import chosen_pair
from tasks.compare import compare
from tasks.predict_variant import predict_variant


@flow(name="compare-variants", flow_run_name="compare-variants {recipe}-{profile}", on_failure=[show_failure])
def compare_variants(
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    dataset: str = "",
    adapter: str = "",
    variants: Sequence[str] = (),
    seed: Seed = SEED_AS_RECIPE,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Let every variant answer the same questions and say with statistics who is better.

    Args:
        recipe: What is made and learnt.
        profile: With which checkpoints and on what hardware.
        dataset: Digest of a dataset, or its beginning; empty takes the adapter's or the recipe's own, which
            is made if the comparison needs it.
        adapter: Digest of an adapter, or its beginning; empty takes the one of recipe and dataset.
        variants: Who is compared, the first being measured against; empty takes the recipe's. Each is a
            variant of the recipe, champion, candidate, models:/NAME@ALIAS, or digest or folder of an adapter.
        seed: Seed of the run; -1 leaves the recipe's, -2 takes the day of the run.
        overrides: Further fields to change, each as section.field=value.
    """
    resolved = with_variants(resolve(recipe, profile, overrides, seed), variants)
    check_ready(resolved)
    check_adapter_is_used(resolved, adapter)
    compared = resolve_variants(resolved)
    with recorded(resolved, "compare-variants") as recorder:
        rows, tuned = chosen_pair(dataset, adapter)
        if rows is None and needs_dataset(resolved, tuned):
            rows = grow_dataset(resolved)
        if rows and carries_own(resolved):
            tuned = tuned or tune(resolved, rows)
        scores = judge(resolved, rows, tuned, compared)
        keep_variants(recorder, compared)
        return keep_results(recorder, dataset=rows, adapter=tuned, scores=scores)


def needs_dataset(recipe: Recipe, adapter: ArtifactRef | None) -> bool:
    """Whether a comparison needs a dataset: its test split judges, or an adapter is to be tuned on it."""
    return recipe.evaluation.kind == "split" or (carries_own(recipe) and adapter is None)


def carries_own(recipe: Recipe) -> bool:
    """Whether a variant carries the adapter of the run, so that there has to be one."""
    return any(variant.adapter is True for variant in recipe.variants)


def check_adapter_is_used(recipe: Recipe, adapter: str) -> None:
    """Refuse an adapter of this run that no variant carries.

    Raises:
        RecipeError: There is one.
    """
    if adapter and not carries_own(recipe):
        raise RecipeError(
            f"the adapter {adapter} is named for this run, but no variant carries the adapter of the run; "
            f"name it as a variant: --variant {adapter}"
        )


@flow(name="judge", flow_run_name="judge {recipe.name}")
def judge(
    recipe: Recipe,
    dataset: ArtifactRef | None,
    adapter: ArtifactRef | None,
    variants: Sequence[ResolvedVariant],
) -> ArtifactRef:
    """Let every variant answer the same rows and compare them.

    Args:
        recipe: the resolved recipe.
        dataset: where the rows come from, if the recipe judges by its test split.
        adapter: the adapter of the variants that carry the one of this run.
        variants: the variants, as they were looked up when the run began.
    """
    predictions = [predict_variant(recipe=recipe, dataset=dataset, **one.inputs(adapter)) for one in variants]
    return compare(recipe=recipe, predictions=predictions)
