"""dataset + adapter -> answers of every variant -> ladder."""

from prefect import flow

from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from tasks.compare import compare
from tasks.predict_variant import predict_variant


@flow(name="compare-variants", flow_run_name="compare-variants {recipe.name}")
def compare_variants(recipe: Recipe, dataset: ArtifactRef, adapter: ArtifactRef | None) -> ArtifactRef:
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
