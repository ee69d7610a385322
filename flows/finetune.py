"""dataset -> adapter."""

from prefect import flow

from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from tasks.tune_adapter import tune_adapter


@flow(name="finetune", flow_run_name="finetune {recipe.name}")
def finetune(recipe: Recipe, dataset: ArtifactRef) -> ArtifactRef:
    """Tune the adapter of a recipe on a dataset.

    Args:
        recipe: the resolved recipe.
        dataset: the dataset to learn from.
    """
    return tune_adapter(recipe=recipe, dataset=dataset)
