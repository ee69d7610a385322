"""How rows are asked that are of another kind than a recipe's own."""

import csv
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from blip_core.errors import TableError
from blip_core.kinds import KINDS, Kind
from blip_core.recipes import AnyVariant, Recipe, Variant
from blip_core.wiring.places import workplace

_LISTED = "listed"  # folders of pictures as tables, below the home


def kind_for(recipe: Recipe, path: Path, given: Mapping[str, str], encoding: str = "") -> Kind:
    """The kind of the rows that somebody hands in: the recipe's, or one without options that they fit.

    Another than the recipe's is meant only where every column has its place in it, or options are said to
    have no column: what is left over may be an option under a name that nobody knows.

    Args:
        recipe: who answers.
        path: the table.
        given: field -> column, as somebody says it.
        encoding: of its text; empty, it is found out.

    Raises:
        TableError: The table cannot be read.
    """
    from blip_core.sources import column_names, guess_columns
    from blip_core.sources.opening import TableInput

    names = column_names(TableInput(path, encoding))
    free = [kind for kind in KINDS.values() if not kind.has_options]
    for kind in (recipe.kind, *sorted(free, key=lambda kind: not kind.asks)):
        with suppress(TableError):
            columns = guess_columns(names, given, kind.columns_needed(answered=False), kind.passes_over)
            if kind is recipe.kind or given.get("options") == "" or not columns.unused(names):
                return kind
    return recipe.kind


def asked_as(recipe: Recipe, kind: Kind) -> Recipe:
    """A recipe that asks rows of a kind: its own words where it has any for that, else the kind's.

    Its own are those of a phase that learns such rows; where nothing is asked, also those that describe.
    """
    if kind.name == recipe.task:
        return recipe
    from blip_core.inference.prompting import without_question

    own = "" if kind.asks else without_question(recipe.inference.describe_prompt)
    inference = recipe.inference.model_copy(
        update={
            "answer_prompt": _learnt_prompt(recipe, kind) or own or kind.prompt,
            "further_prompts": {},
            "describe_prompt": "",
            "free_generation": True,
            "circular": False,
            "ablations": (),
        }
    )
    return recipe.model_copy(update={"task": kind.name, "stages": 1, "inference": inference})


def as_answering(variant: AnyVariant, own: Recipe, asking: Recipe) -> AnyVariant:
    """A variant that answers rows as they are asked: its own prompt is meant for the kind of its recipe's."""
    if not isinstance(variant, Variant) or asking.task == own.task:
        return variant
    return variant.model_copy(update={"answer_prompt": ""})


def _learnt_prompt(recipe: Recipe, kind: Kind) -> str:
    """How a phase of a recipe asks such rows in one stage; the last of several."""
    views = [recipe.in_phase(phase) for phase in recipe.phases]
    asking = [view.inference.answer_prompt for view in views if view.task == kind.name and view.stages == 1]
    return asking[-1] if asking else ""


def table_of(path: Path) -> tuple[Path, Path | None]:
    """A table, and the folder of its pictures; of a folder of pictures the table that lists them.

    The list lies below the home, under a name made of its content; None where pictures lie by their table.

    Raises:
        TableError: The folder holds neither.
    """
    from blip_core.sources import is_dataset, picture_names

    if not path.is_dir() or is_dataset(path):
        return path, None
    names = picture_names(path, recursive=True)
    lines = [("id", "image"), *((name, name) for name in names)]
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()
    listed = workplace().home / _LISTED / digest / f"{path.name}.csv"
    listed.parent.mkdir(parents=True, exist_ok=True)
    with listed.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerows(lines)
    return listed, path
