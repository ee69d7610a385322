"""dataset + adapter -> answers of every variant -> ladder."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from prefect import flow
from pydantic import WithJsonSchema

from blip_core.recipes import CrossFitVariant, Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import check_ready
from flows.failures import show_failure
from flows.forms import (
    DEFAULT_PROFILE,
    DEFAULT_RECIPE,
    SEED_AS_RECIPE,
    ProfileChoice,
    RecipeChoice,
    ResolvedRecipe,
    Seed,
    resolve,
)
from flows.phases import Phases
from flows.recording import recorded
from flows.results.run import keep_results
from flows.variants.choosing import check_adapter_is_used, with_variants
from flows.variants.resolving import ResolvedVariant, keep_variants, resolve_variants
from tasks.chosen import chosen_pair
from tasks.compare import compare
from tasks.fill_sheet import fill_sheet
from tasks.join_folds import join_folds, learnt_by
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
    resolved = check_ready(with_variants(resolve(recipe, profile, overrides, seed), variants))
    check_adapter_is_used(resolved, adapter)
    compared = resolve_variants(resolved)
    with recorded(resolved, "compare-variants") as recorder:
        made = Phases(resolved, *chosen_pair(dataset, adapter))
        make_compared(resolved, made)
        scores = judge(resolved, made.datasets, made.adapters, compared)
        keep_variants(recorder, compared)
        return keep_results(recorder, made, scores)


def make_compared(recipe: Recipe, made: Phases) -> None:
    """Make what a comparison needs: adapters that variants carry, and the rows if their test split judges."""
    for phase in made.names:
        if any(recipe.phase_of(variant) == phase for variant in recipe.variants):
            made.tune(phase)
    for phase, judged in {
        made.last: recipe,
        **{name: recipe.of_set(name) for name in recipe.further_sets},
    }.items():
        if judged.evaluation.kind == "split":
            made.grow(phase)


@flow(name="judge", flow_run_name="judge {recipe.name}", validate_parameters=False)
def judge(
    recipe: ResolvedRecipe,
    datasets: Mapping[str, ArtifactRef],
    adapters: Mapping[str, ArtifactRef],
    variants: Annotated[Sequence[ResolvedVariant], WithJsonSchema({"type": "array"})],
) -> ArtifactRef:
    """Let every variant answer the same rows and compare them; those of a phase, where findings name it.

    Args:
        recipe: the resolved recipe.
        datasets: by phase, where the rows come from that are a test split's.
        adapters: those of this run that variants carry, by phase.
        variants: the variants, as they were looked up when the run began.
    """
    own = datasets.get(recipe.last_phase)
    predictions = _answer(recipe, {"recipe": recipe, "dataset": own}, variants, datasets, adapters)
    further = {}
    for phase, names in recipe.further_sets.items():
        told = {"recipe": recipe.of_set(phase), "dataset": datasets.get(phase)}
        named = [one for one in variants if one.name in names]
        further[phase] = _answer(recipe, told, named, datasets, adapters)
    if recipe.sheet:
        models = [one for one in variants if not isinstance(one.variant, CrossFitVariant)]
        fill_sheet(recipe=recipe, dataset=own, asked=[one.inputs(adapters) for one in models])
    return compare(recipe=recipe, predictions=predictions, further=further)


def _answer(
    recipe: Recipe,
    told: Mapping[str, Any],
    variants: Sequence[ResolvedVariant],
    datasets: Mapping[str, ArtifactRef],
    adapters: Mapping[str, ArtifactRef],
) -> list[ArtifactRef]:
    """Let variants answer rows; `told` says by which recipe they are judged, and of which dataset."""
    found: dict[str, ArtifactRef] = {}
    for one in variants:
        joined = one.variant.of if isinstance(one.variant, CrossFitVariant) else ()
        if not joined:
            found[one.name] = predict_variant(**told, **one.inputs(adapters))
            continue
        answers = {name: found[name] for name in joined}
        learnt = learnt_by(recipe, joined, datasets)
        found[one.name] = join_folds(**told, variant=one.variant, answers=answers, learnt=learnt)
    return list(found.values())
