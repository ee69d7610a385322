"""Stages 1 to 4 from outside: a table's own questions and answers become a dataset."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from blip_core import curation, sources
from blip_core.dataset import assign_splits, write_dataset
from blip_core.errors import RecipeError, TableError
from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import gate_identities, gate_models, workplace
from tasks.stage import stage, watcher

LICENCE = "None is stated. The rows come from a table that was handed in; ask whoever made it."


def key(recipe: Recipe) -> str:
    inputs = {
        "version": curation.VERSION,
        "recipe": recipe.digest("curation", "dataset", "task", "name"),
        "table": sources.table_digest(*_files(recipe)),
        "shuffle_seed": _shuffle_seed(recipe),
        **gate_identities(recipe),
    }
    return workplace().store.key("dataset", inputs)


@stage("dataset", key)
def read_table(recipe: Recipe) -> ArtifactRef:
    """Send the rows of a table through the gates, split what is kept and write it as a dataset."""
    own_key = key(recipe)

    def build(folder: Path) -> dict[str, Any]:
        files = _files(recipe)
        reading = sources.answer_reading(files.path, files.columns, files.answers, files.encoding)
        flags: dict[str, str] = {}
        read, refused = sources.read_table(*files, flags=flags)
        examples = [replace(row, task=recipe.task) for row in read]
        if key(recipe) != own_key:
            raise TableError(f"{files.path} changed while it was read; run again")
        seed = _shuffle_seed(recipe)
        if seed is not None:
            examples = sources.shuffle_rows(examples, seed)
        watcher().progress(1, 3)
        curated = curation.curate(examples, recipe.curation, gate_models(recipe))
        watcher().progress(2, 3)
        shares = recipe.dataset.validation_share, recipe.dataset.test_share
        splits = assign_splits(curated.kept, *shares, curated.near)
        provenance = {
            "table": sources.table_digest(*files),
            "columns": files.columns.describe(),
            "answers": reading.describe(),
            "licence": LICENCE,
        }
        rejections = [*refused, *curated.rejections]
        counts = write_dataset(folder, curated.kept, rejections, splits, recipe, provenance)
        watcher().progress(3, 3)
        return {
            **counts,
            "asked": len(examples) + len(refused),
            "answers": reading.to_row(),
            "flagged": sources.count_flags(flags, (example.id for example in examples)),
            "gates": [asdict(gate) for gate in curated.gates],
            "recipe": recipe.name,
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "source"}),
            "made_from": {},
        }

    return workplace().store.publish(own_key, "dataset", build).ref()


def _shuffle_seed(recipe: Recipe) -> int | None:
    source = recipe.source
    return recipe.seed if source.kind == "table" and source.shuffle_options else None


def _files(recipe: Recipe) -> sources.TableFiles:
    if recipe.source.kind != "table":
        raise RecipeError(f"source.kind is {recipe.source.kind!r}: only a table holds questions and answers")
    return sources.files_of_kind(recipe.source, recipe.kind)
