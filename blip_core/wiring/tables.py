"""The tables of questions that a recipe names, and what they are taken for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from blip_core.recipes import Recipe

if TYPE_CHECKING:
    from blip_core.sources import TableView


def tables_of(recipe: Recipe) -> Iterator[tuple[str, "TableView"]]:
    """The tables of questions that a recipe names, each by its section, and what they are taken for.

    Raises:
        TableError: One cannot be read, or its answers can be read in two ways.
    """
    from blip_core.sources import look_at

    views = {phase.path_of("source"): recipe.in_phase(phase) for phase in recipe.each_phase()}
    named = [(name, view, view.source) for name, view in views.items()]
    sets = {"evaluation": recipe} | {
        f"phases.{name}.evaluation": recipe.of_set(name) for name in recipe.further_sets
    }
    judging = [(name, view, view.evaluation) for name, view in sets.items()]
    for section, view, settings in [*named, *judging]:
        if settings.kind == "table" and getattr(settings, "questions", "table") == "table":
            path = Path(settings.path).expanduser()
            kind = view.kind
            how = settings.columns.given(), settings.answers, kind.columns_needed(), settings.encoding
            yield section, look_at(path, *how, kind.passes_over)


def table_warnings(recipe: Recipe, view: "TableView") -> list[str]:
    """What a table holds and a recipe passes over, in one line each."""
    if not view.has_context or recipe.inference.reads_context:
        return []
    return [
        f"the column {view.columns.context!r} belongs to the questions, and no prompt has a place for it: "
        "put {context} before {question} in inference.answer_prompt, or leave the column out with --column "
        'context= (in a recipe: context = "" below its columns)'
    ]
