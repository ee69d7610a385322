"""Tables as people name them, in a form or on a command line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from blip_core.errors import TableError
from blip_core.recipes import Recipe

if TYPE_CHECKING:
    from blip_core.sources import TableView

DEFAULT_VARIANT = "finetuned"


def absolute_paths(table: Path, images: Path | None) -> tuple[Path, Path | None]:
    """The same table and folder of pictures, wherever the run takes place on this machine."""
    return table.expanduser().absolute(), images.expanduser().absolute() if images else None


def column_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Read `image=NAME` texts; `answer=` says that there is no such column.

    Raises:
        TableError: A text is none, or a field comes twice.
    """
    mapping: dict[str, str] = {}
    for text in texts:
        field, equals, name = text.partition("=")
        field = field.strip().lower()
        if not equals or not field:
            raise TableError(f"--column {text}: write FIELD=NAME, for example --column image=photo_file")
        if field in mapping:
            raise TableError(f"--column {text}: {field} is given twice")
        mapping[field] = name.strip()
    return mapping


def tables_of(recipe: Recipe) -> Iterator[tuple[str, "TableView"]]:
    """The tables of questions that a recipe names, each by its section, and what they are taken for.

    Raises:
        TableError: One cannot be read, or its answers can be read in two ways.
    """
    from blip_core.sources import look_at

    views = {phase.path_of("source"): recipe.in_phase(phase) for phase in recipe.each_phase()}
    named = [(name, view, view.source) for name, view in views.items()]
    for section, view, settings in [*named, ("evaluation", recipe, recipe.evaluation)]:
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
