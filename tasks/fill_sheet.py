"""Stage 6b: every variant goes on with the same prompts about a few pictures, for people to read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core.recipes import AnsweringVariant, Recipe, ServerVariant
from blip_core.records import Example
from blip_core.reporting.sheet import SheetRow, write_sheet
from blip_core.store import ArtifactRef
from blip_core.wiring import asking_sheet, evaluation_identity, sheet_rows, workplace
from tasks.predict_variant import load_answering, who_answers
from tasks.stage import path_of, stage, watcher

VERSION = 1
FILE = "sheet.html"
ROWS = "sheet.jsonl"

Asked = Mapping[str, Any]
"""A variant as `predict_variant` takes it: `variant`, `adapter`, `server_facts`."""


def key(recipe: Recipe, dataset: ArtifactRef | None, asked: Sequence[Asked]) -> str:
    inputs = {
        "version": VERSION,
        "sheet": recipe.sheet.model_dump(mode="json") if recipe.sheet else None,
        "evaluation": evaluation_identity(recipe, dataset.digest if dataset else ""),
        "variants": [who_answers(recipe, **one) for one in _writing(asked)],
    }
    return workplace().store.key("sheet", inputs)


@stage("sheet", key)
def fill_sheet(recipe: Recipe, dataset: ArtifactRef | None, asked: Sequence[Asked]) -> ArtifactRef:
    """Let every variant that writes its answers fill the recipe's sheet.

    Args:
        recipe: which prompts, about which pictures.
        dataset: where its rows come from, if the recipe judges by its test split.
        asked: the variants.
    """

    def build(folder: Path) -> dict[str, Any]:
        rows = sheet_rows(recipe, path_of(dataset) if dataset else None)
        said: dict[str, list[str]] = {}
        for done, one in enumerate(_writing(asked)):
            watcher().progress(done, len(_writing(asked)))
            said[one["variant"].name] = _fill(recipe, one["variant"], one["adapter"], rows)
        filled = [
            SheetRow(row.picture_id, row.question, {name: texts[place] for name, texts in said.items()})
            for place, row in enumerate(rows)
        ]
        write_sheet(folder / FILE, folder / ROWS, filled, {row.picture_id: row.image for row in rows})
        return {"rows": len(filled), "variants": [*said]}

    return workplace().store.publish(key(recipe, dataset, asked), "sheet", build).ref()


def _writing(asked: Sequence[Asked]) -> list[Asked]:
    """Those that write their answers: who ranks or reads them writes what another variant does."""
    return [
        one
        for one in asked
        if isinstance(one["variant"], ServerVariant) or one["variant"].answers == "written"
    ]


def _fill(
    recipe: Recipe, variant: AnsweringVariant, adapter: ArtifactRef | None, rows: Sequence[Example]
) -> list[str]:
    model = load_answering(recipe, variant, adapter)
    answers = model.answer(rows, asking_sheet(recipe), variant.name, watcher().progress)
    return [row.generated for row in answers.predictions]
