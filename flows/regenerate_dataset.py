"""scenes -> pictures -> labels -> dataset."""

from prefect import flow

from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from tasks.build_dataset import build_dataset
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tasks.write_scenes import write_scenes


@flow(name="regenerate-dataset", flow_run_name="regenerate-dataset {recipe.name}")
def regenerate_dataset(recipe: Recipe) -> ArtifactRef:
    """Grow the dataset of a recipe from nothing but prompts.

    Args:
        recipe: the resolved recipe.
    """
    scenes = write_scenes(recipe=recipe)
    pictures = paint_pictures(recipe=recipe, scenes=scenes)
    labels = label_pictures(recipe=recipe, pictures=pictures)
    return build_dataset(recipe=recipe, pictures=pictures, labels=labels)
