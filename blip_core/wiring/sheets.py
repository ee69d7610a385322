"""The rows of a recipe's sheet, and how they are asked."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

from blip_core.recipes import Inference, Recipe
from blip_core.records import LETTERS, Example
from blip_core.wiring.evaluation import evaluation_examples
from blip_core.wiring.variants import inference_settings

_FREELY = "vqa"


def sheet_rows(recipe: Recipe, dataset: Path | None) -> list[Example]:
    """Every prompt about the first pictures that are judged, picture by picture."""
    if recipe.sheet is None:
        return []
    first: dict[str, Example] = {}
    for row in evaluation_examples(recipe, dataset):
        first.setdefault(row.picture_id, row)
        if len(first) == recipe.sheet.pictures:
            break
    return [
        replace(
            row.with_options([""] * len(LETTERS)),
            id=f"{row.picture_id}-s{place}",
            task=_FREELY,
            question=prompt,
            answer="",
            target="",
            references=(),
        )
        for row in islice(first.values(), recipe.sheet.pictures)
        for place, prompt in enumerate(recipe.sheet.prompts)
    ]


def asking_sheet(recipe: Recipe) -> Inference:
    """A prompt of the sheet is the whole prompt, and what is written is shown."""
    return inference_settings(recipe).by_prompt("{question}")
