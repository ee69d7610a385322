"""How many rows each stage works, if none is refused."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.dataset.mixing import shares
from blip_core.errors import TableError
from blip_core.recipes import OWN, Recipe
from blip_core.sources import count_native, count_plugin, picture_names


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of every stage.

    Attributes:
        scenes: written.
        pictures: painted or read.
        labels: asked for; rows of the dataset.
        train: rows that are learnt.
        validation: rows that are watched.
        judged: rows that every variant answers.
    """

    scenes: int
    pictures: int
    labels: int
    train: int
    validation: int
    judged: int


def count_phases(recipe: Recipe, rows: int | None = None, bundled: int = 0) -> dict[str, Counts]:
    """Count the rows of every phase, see `count_rows`; of a mixture, what its weights draw of its sets."""
    counts: dict[str, Counts] = {}
    for phase in recipe.each_phase():
        own = count_rows(recipe.in_phase(phase), rows, bundled)
        sets = {name: own if name == OWN else counts[name] for name in phase.weights}
        grown = own if phase.grows_own else replace(own, scenes=0, pictures=0, labels=0)
        counts[phase.name] = _mixed(grown, sets, phase.weights)
    return counts


def _mixed(own: Counts, sets: Mapping[str, Counts], weights: Mapping[str, float]) -> Counts:
    if not sets:
        return own
    train = shares({name: one.train for name, one in sets.items()}, weights)
    watched = {name: one.validation for name, one in sets.items() if one.validation}
    validation = shares(watched, weights) if watched else {}
    return replace(own, train=sum(train.values()), validation=sum(validation.values()))


def count_rows(recipe: Recipe, rows: int | None = None, bundled: int = 0) -> Counts:
    """Count the rows of every stage.

    Args:
        recipe: what is made.
        rows: of the dataset; absent, what the recipe asks for or its source holds.
        bundled: rows of the evaluation set that comes with the pocket family.

    Raises:
        TableError: A folder or table that has to be counted cannot be read.
    """
    labels = rows if rows is not None else _rows_asked(recipe)
    each = recipe.labels.per_picture if recipe.source.is_labelled else 1
    pictures = math.ceil(labels / each)
    validation = round(labels * recipe.dataset.validation_share)
    test = round(labels * recipe.dataset.test_share)
    return Counts(
        scenes=pictures if recipe.source.is_made_here else 0,
        pictures=pictures,
        labels=labels,
        train=0 if recipe.source.kind == "none" else max(labels - validation - test, 1),
        validation=validation,
        judged=max(_judged(recipe, test, bundled), 1),
    )


def _rows_asked(recipe: Recipe) -> int:
    source = recipe.source
    if source.kind == "folder":
        found = picture_names(Path(source.path).expanduser(), source.recursive)
        return len(found) * recipe.labels.per_picture
    if source.kind == "table":
        each = recipe.labels.per_picture if source.is_labelled else 1
        return table_rows(Path(source.path).expanduser()) * each
    if source.kind == "plugin":
        return count_plugin(source) * recipe.labels.per_picture
    if source.kind == "native":
        return count_native(source) * (recipe.labels.per_picture if source.is_labelled else 1)
    if source.kind == "pocket":
        return source.count * (source.questions_each if recipe.kind.asks else 1)
    if source.kind == "none":
        return 0
    return recipe.scenes.count * recipe.labels.per_picture


def _judged(recipe: Recipe, test: int, bundled: int) -> int:
    settings = recipe.evaluation
    if settings.kind == "table":
        return table_rows(Path(settings.path).expanduser())
    if settings.kind == "native":
        return count_native(settings)
    if settings.kind == "pocket":
        return settings.count * (settings.questions_each if recipe.kind.asks else 1)
    if settings.kind == "bundled":
        return min(bundled, settings.limit or bundled)
    return test


def table_rows(path: Path) -> int:
    """Rows of a table, its pictures unread.

    Raises:
        TableError: It cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            return int(pq.read_metadata(path).num_rows)
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix == ".jsonl":
                return sum(1 for line in file if line.strip())
            return max(sum(1 for _ in csv.reader(file)) - 1, 0)
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid, csv.Error) as error:
        raise TableError(
            f"the rows of {path} cannot be counted ({error}); give the path of a table that can be read, or "
            "say with --rows how many there are"
        ) from error
