"""The rows that variants are judged on."""

import hashlib
from collections.abc import Collection
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.recipes import Recipe
from blip_core.records import LETTERS, WITH_OPTIONS, Example

_ONE_ANSWER = frozenset({"place", "time", "count"})
"""Kinds of bundled questions to which one answer alone is right, whatever the options."""


def evaluation_examples(recipe: Recipe, dataset: Path | None = None) -> Collection[Example]:
    """The rows that variants are judged on; those of a published set are made when they are gone through.

    Args:
        recipe: which rows these are.
        dataset: the dataset whose test split they are, if they are one's; of its rows those of the recipe's
            task.

    Raises:
        TableError: A table cannot be read, or one of its rows cannot be used; or there is no dataset.
    """
    settings = recipe.evaluation
    if settings.kind == "split":
        from blip_core.dataset import read_split

        if dataset is None:
            raise TableError("evaluation.kind is split, but no dataset was given whose test rows judge")
        read = [row for split in settings.splits for row in read_split(dataset, split)]
        return [row for row in read if row.task == recipe.task]
    if settings.kind == "table":
        from blip_core.sources import files_of_kind, read_examples

        rows = read_examples(*files_of_kind(settings, recipe.kind))
        return [replace(row, task=recipe.task) for row in rows]
    if settings.kind == "native":
        from blip_core.sources import NativeExamples

        return NativeExamples(settings, recipe.task)
    if settings.kind == "pocket":
        from blip_core.pocket.rows import world_rows

        return world_rows(settings, recipe.task, recipe.seed)
    from blip_core.pocket.evalset import load_bundled

    table = load_bundled(settings.style)
    rows = table.to_pylist() if settings.limit is None else table.slice(0, settings.limit).to_pylist()
    examples = [_bundled_example(row) for row in rows]
    if recipe.kind.has_options:
        return examples
    return [_freely(row, recipe.task) for row in examples if row.kind in _ONE_ANSWER]


def evaluation_identity(recipe: Recipe, dataset_digest: str) -> str:
    """What changes when the evaluation rows do: of a table also when one of its picture files does.

    Raises:
        TableError: A table cannot be read.
    """
    settings = recipe.evaluation
    if settings.kind == "split":
        others = "" if settings.splits == ("test",) else f"-{'-'.join(settings.splits)}"
        return f"split-{dataset_digest}{others}"
    if settings.kind == "table":
        from blip_core.sources import files_of_kind, table_digest

        return table_digest(*files_of_kind(settings, recipe.kind))
    if settings.kind == "native":
        from blip_core.sources import native_digest

        return native_digest(settings)
    if settings.kind == "pocket":
        from blip_core.pocket.rows import world_digest

        return world_digest(settings, recipe.task, recipe.seed)
    data = (files("blip_core.pocket") / "evalset" / f"{settings.style}.parquet").read_bytes()
    return f"{hashlib.sha256(data).hexdigest()}-{settings.limit}"


def evaluation_answers(recipe: Recipe) -> dict[str, Any]:
    """How the right answers of a table are read, for programs; empty where the rows are no table's.

    Raises:
        TableError: A table cannot be read, or its answers can be read in two ways.
    """
    settings = recipe.evaluation
    if settings.kind != "table":
        return {}
    from blip_core.sources import answer_reading, files_of_kind

    files = files_of_kind(settings, recipe.kind)
    return answer_reading(files.path, files.columns, files.answers, files.encoding).to_row()


def _freely(row: Example, task: str) -> Example:
    """A four-option question as one that is answered in words."""
    return replace(row, task=task, answer="").with_options([""] * len(LETTERS))


def _bundled_example(row: dict[str, Any]) -> Example:
    options = dict(zip(LETTERS, (row["a"], row["b"], row["c"], row["d"]), strict=True))
    return Example(
        id=row["id"],
        picture_id=row["picture_id"],
        group=row["picture_id"],
        category=row["category"],
        task=WITH_OPTIONS,
        image=row["image"]["bytes"],
        description="",
        question=row["question"],
        a=row["a"],
        b=row["b"],
        c=row["c"],
        d=row["d"],
        answer=row["answer"],
        target=options[row["answer"]],
        scene="",
        kind=row["kind"],
    )
