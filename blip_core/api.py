"""What a notebook needs, in a few names: recipes, stages, datasets, and a model that answers.

Nothing here needs Prefect, MLflow or the store. `blip_core` hands these names out; see its `__all__`.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blip_core import dataset, labelling, painting, scenes
from blip_core.errors import RecipeError, UserMistake
from blip_core.images import check_stranger
from blip_core.kinds import KINDS, Kind
from blip_core.recipes import Recipe, load_recipe  # noqa: F401 - the latter is handed out
from blip_core.recipes.variants import Variant
from blip_core.records import OPTION_LETTERS, Example, Label, Picture, Prediction, Scene, Split
from blip_core.wiring import (
    adapter_folder,
    asked_as,
    build_labeller,
    build_painter,
    build_writer,
    inference_settings,
    load_variant,
    picture_settings,
)

if TYPE_CHECKING:
    from blip_core.modeling import Blip2Bundle

MIN_OPTIONS = 2


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
        adapter: folder of the adapter that it carries, as `foundry adapters` lists them; not needed where the
            recipe names the folder, or gives the variant none.

    Raises:
        RecipeError: The recipe has no such variant that is loaded here, or it carries an adapter and none is
            named.
        CheckpointError: The checkpoint or the adapter cannot be loaded.
    """
    local = [one for one in recipe.variants if isinstance(one, Variant)]
    named = [one for one in local if not variant or one.name == variant]
    if not named:
        allowed = ", ".join(one.name for one in local)
        raise RecipeError(f"recipe {recipe.name} loads no variant {variant!r}; allowed: {allowed}")
    chosen = named[-1]
    folder = Path(adapter).expanduser() if adapter else adapter_folder(chosen, None)
    if chosen.adapter and folder is None:
        raise RecipeError(
            f"variant {chosen.name} carries an adapter: name its folder, as `foundry adapters` lists them"
        )
    return Model(load_variant(recipe, chosen, folder), recipe, chosen.name, chosen.answer_prompt)


@dataclass(frozen=True)
class Model:
    """A BLIP-2 or InstructBLIP that is ready to answer.

    Attributes:
        bundle: the model with its processor.
        recipe: its prompts, lengths and modes.
        name: that its answers carry.
        prompt: its own, for rows of the recipe's kind; empty, the recipe's.
    """

    bundle: "Blip2Bundle"
    recipe: Recipe
    name: str
    prompt: str = ""

    def answer(self, picture: str | Path, question: str = "", options: Sequence[str] = ()) -> Prediction:
        """Choose one of two to ten options, answer a question freely, or caption the picture.

        Args:
            picture: path of a file in any format that is read.
            question: about it; without one, it is captioned.
            options: to choose from, in the order of their letters; without any, the answer is free.

        Returns:
            `ranked` is the letter that is chosen; `generated` is what was written.

        Raises:
            PictureError: The file is no picture that can be read.
            UserMistake: Options without a question, or too few or many of them.
        """
        from blip_core.inference import predict

        kind = self._kind(question, options)
        asking = inference_settings(asked_as(self.recipe, kind))
        if self.prompt and kind is self.recipe.kind:
            asking = asking.model_copy(update={"answer_prompt": self.prompt})
        row = _row(kind.name, Path(picture).expanduser(), question, options)
        return predict(self.bundle, [row], asking, self.name)[0]

    def _kind(self, question: str, options: Sequence[str]) -> Kind:
        if options and not (question and MIN_OPTIONS <= len(options) <= len(OPTION_LETTERS)):
            raise UserMistake(
                f"{len(options)} options and the question {question!r}: options belong to a question, and "
                f"there are {MIN_OPTIONS} to {len(OPTION_LETTERS)} of them"
            )
        fits = (self.recipe.kind, *KINDS.values())
        return next(one for one in fits if (one.has_options, one.asks) == (bool(options), bool(question)))


def _row(task: str, path: Path, question: str, options: Sequence[str]) -> Example:
    content = path.read_bytes()
    check_stranger(content, path.name)
    return Example.asked(path.name, task, content, question, options)
