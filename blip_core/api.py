"""What a notebook needs, in a few names: recipes, stages, datasets, and a model that answers.

Nothing here needs Prefect, MLflow or the store. `blip_core` hands these names out; see its `__all__`.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blip_core import dataset, labelling, painting, scenes
from blip_core.errors import RecipeError
from blip_core.images import decode_picture
from blip_core.recipes import Inference, Recipe, load_recipe
from blip_core.recipes.variants import Variant
from blip_core.records import WITH_OPTIONS, Example, Label, Picture, Prediction, Scene, Split
from blip_core.wiring import (
    build_labeller,
    build_painter,
    build_writer,
    inference_settings,
    load_variant,
    picture_settings,
)

if TYPE_CHECKING:
    from blip_core.modeling import Blip2Bundle

__all__ = [
    "Model",
    "label_pictures",
    "load_model",
    "load_recipe",
    "paint_pictures",
    "read_split",
    "write_scenes",
]


def write_scenes(recipe: Recipe) -> list[Scene]:
    """Let the recipe's language model write scenes, as many as `scenes.count` says."""
    with closing(build_writer(recipe)) as writer:
        return scenes.write_scenes(writer, recipe.scenes, recipe.seed)[0]


def paint_pictures(recipe: Recipe, written: Sequence[Scene]) -> list[Picture]:
    """Let the recipe's painter paint a picture of each scene; those that it refuses are absent."""
    with closing(build_painter(recipe)) as painter:
        return painting.paint_pictures(painter, written, picture_settings(recipe), recipe.seed)[0]


def label_pictures(recipe: Recipe, pictures: Sequence[Picture]) -> list[Label]:
    """Let the recipe's labeller describe each picture and ask about it; what cannot be read is absent."""
    with closing(build_labeller(recipe)) as labeller:
        return labelling.label_pictures(labeller, pictures, recipe.labels, recipe.seed)[0]


def read_split(folder: str | Path, split: Split) -> list[Example]:
    """Rows of a dataset's `train`, `validation` or `test`, in its order.

    Raises:
        TableError: The folder holds no such split, or not all of its files, or one cannot be read.
    """
    return dataset.read_split(Path(folder).expanduser(), split)


def load_model(recipe: Recipe, variant: str = "", adapter: str | Path | None = None) -> "Model":
    """Load a model that a recipe compares.

    Args:
        recipe: which checkpoint, prompts and arithmetic.
        variant: its name in the recipe; the last one that is loaded here where none is named.
        adapter: folder of an adapter that it carries, as `foundry adapters` lists them.

    Raises:
        RecipeError: The recipe has no such variant that is loaded here.
        CheckpointError: The checkpoint or the adapter cannot be loaded.
    """
    local = [one for one in recipe.variants if isinstance(one, Variant)]
    named = [one for one in local if not variant or one.name == variant]
    if not named:
        allowed = ", ".join(one.name for one in local)
        raise RecipeError(f"recipe {recipe.name} loads no variant {variant!r}; allowed: {allowed}")
    bundle = load_variant(recipe, named[-1], Path(adapter).expanduser() if adapter else None)
    return Model(bundle, inference_settings(recipe), named[-1].name)


@dataclass(frozen=True)
class Model:
    """A BLIP-2 that is ready to answer.

    Attributes:
        bundle: the model with its processor.
        settings: prompts, lengths and modes.
        name: that its answers carry.
    """

    bundle: "Blip2Bundle"
    settings: Inference
    name: str

    def answer(self, picture: str | Path, question: str, options: Sequence[str]) -> Prediction:
        """Describe a picture, then choose one of two to ten options.

        Args:
            picture: path of a file in any format that is read.
            question: about it.
            options: to choose from, in the order of their letters.

        Raises:
            PictureError: The file is no picture that can be read.
        """
        from blip_core.inference import predict

        row = _question(Path(picture).expanduser(), question, options)
        return predict(self.bundle, [row], self.settings, self.name)[0]


def _question(path: Path, question: str, options: Sequence[str]) -> Example:
    content = path.read_bytes()
    decode_picture(content, path.name)
    asked = Example(
        id=path.name,
        picture_id=path.name,
        group=path.name,
        category="",
        task=WITH_OPTIONS,
        image=content,
        description="",
        question=question,
        a="",
        b="",
        c="",
        d="",
        answer="",
        target="",
        scene="",
    )
    return asked.with_options([*options, "", "", "", ""][: max(4, len(options))])
