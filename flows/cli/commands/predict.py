"""`foundry predict`: a model answers somebody's table."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blip_core import strict_json
from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from blip_core.recipes.columns import AnswersRead
from blip_core.wiring.tables import table_warnings
from flows.cli.commands.options import AsJson, DryRun, Overrides, ProfileName, only_json
from flows.forms import DEFAULT_RECIPE
from flows.tables import DEFAULT_VARIANT, absolute_paths, column_mapping

if TYPE_CHECKING:
    from blip_core.sources import TableFiles, TableView

TablePath = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE",
        help="CSV, TSV, XLSX, JSON, Parquet or Arrow file, or a folder that datasets wrote, with pictures, "
        "questions and two to ten options; or without options, or a folder of pictures.",
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder that the answers go to.")]
ImagesFolder = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Folder that picture paths start at; without, the table's."),
]
VariantName = Annotated[
    str,
    typer.Option(
        "--variant",
        metavar="NAME|ADAPTER",
        help="Who answers: a variant of the recipe, champion or candidate or models:/NAME@ALIAS of the "
        "registry, the folder of a PEFT adapter, or the digest of an adapter in the store (foundry adapters "
        "lists them).",
    ),
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="FIELD=NAME",
        help="Which column is what, where it cannot be guessed: image=photo_file. Fields: id, image, "
        "question, a to j, options, answer, context, caption; answer= means that there is none. May come "
        "often.",
    ),
]
Answers = Annotated[
    AnswersRead,
    typer.Option(
        "--answers",
        help="How answers are read: as letters, as texts of options, as yes or no (truths), as places "
        "counted from-zero or from-one. Without, all rows together tell; where they do not, the table is "
        "refused.",
        show_default=False,
    ),
]
EncodingName = Annotated[
    str,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="How the text of the table is encoded, such as cp949 or cp1252. Without, it is found out and "
        "printed; where it cannot be told, the table is refused.",
        show_default=False,
    ),
]
RecipeOption = Annotated[
    str, typer.Option("--recipe", help="How questions are put: a shipped recipe, or path of a TOML file.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write to a folder that holds other files, too; they stay.")
]


def predict(
    table: TablePath,
    out: OutFolder = Path("answers"),
    images: ImagesFolder = None,
    variant: VariantName = DEFAULT_VARIANT,
    column: ColumnNames = None,
    answers: Answers = "",
    encoding: EncodingName = "",
    recipe: RecipeOption = DEFAULT_RECIPE,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Answer the questions of a table, or caption a folder of pictures, and score what is known to be right.

    Questions with options are answered by a letter, those without in words, and pictures alone by captions.
    Writes submission.csv (id and answer of every row, in the table's order; a refused row has none),
    predictions.parquet (each question with all that was said of it), problems.csv (refused rows and why),
    report.html (scores and rows on one page, for a browser) and, where right answers were given, scores.json.
    In the CSV files an id that a spreadsheet would execute gets an apostrophe in front. The folder must be
    new, empty or hold earlier answers; --overwrite allows others.

    Example: foundry predict questions.csv --images photos --variant flan-t5 --out answers
    """
    from blip_core.reporting.submission import check_out
    from blip_core.sources import TableFiles, look_at
    from blip_core.wiring import asked_as, kind_for, load_libraries, table_of
    from flows.variants.choosing import check_variant

    plan = load_recipe(recipe, profile, overrides or [])
    target = out.expanduser().absolute()
    check_out(target, overwrite)
    path, folder = absolute_paths(table, images)
    path, pictures = table_of(path)
    folder = folder or pictures
    given = column_mapping(column or [])
    kind = kind_for(plan, path, given, encoding)
    needs = kind.columns_needed(answered=False)
    view = look_at(path, given, answers, needs, encoding, kind.passes_over)
    warnings = table_warnings(asked_as(plan, kind), view)
    if dry_run:
        show_rows(TableFiles(path, folder, view.columns, answers, encoding), view, warnings, as_json)
        return
    answering = check_variant(plan, variant)  # a mistake shows before a server is started

    def load() -> Callable[[], dict[str, Any]]:
        from flows.predict import predict as flow

        named = [str(path), str(target), str(folder or ""), variant, recipe, profile]
        chosen = {"columns": column or [], "answers": answers, "encoding": encoding}
        chosen["overrides"] = overrides or []
        return partial(flow, *named, overwrite=overwrite, **chosen)

    run_and_show(load, partial(load_libraries, answering), view, warnings, as_json)


def run_and_show(
    load: Callable[[], Callable[[], dict[str, Any]]],
    meanwhile: Callable[[], None],
    view: "TableView",
    warnings: Sequence[str],
    as_json: bool,
) -> None:
    """Run the flow; people see what it took for what, and what came of it, programs one JSON object."""
    from rich.console import Console

    from blip_core.reporting.answers import show_answers, show_table
    from flows.cli.running import run_shown

    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps(run_shown(load, Console(file=sys.stderr), meanwhile)) + "\n")
        return
    console = Console(file=sys.stdout)
    show_table(console, *view.describe(), warnings)
    show_answers(console, run_shown(load, console, meanwhile))


def show_rows(files: "TableFiles", view: "TableView", warnings: Sequence[str], as_json: bool) -> None:
    """Print what a table is taken for, how many rows can be used and why others cannot."""
    from rich.console import Console

    from blip_core.reporting.answers import show_table, show_usable
    from blip_core.sources import FIELDS, count_flags, read_table

    flags: dict[str, str] = {}
    examples, rejections = read_table(*files, needs_answer=False, flags=flags)
    flagged = count_flags(flags, (example.id for example in examples))
    refused = Counter(one.reason for one in rejections)
    if as_json:
        told = {
            "table": asdict(view.facts),
            "columns": {**dict.fromkeys(FIELDS, ""), **view.columns.named},
            "answers": view.reading.to_row(),
            "unused_columns": view.unused,
            "warnings": list(warnings),
            "rows": len(examples) + len(rejections),
            "usable": len(examples),
            "refused": dict(refused),
            "flagged": flagged,
        }
        typer.echo(strict_json.dumps(told))
        return
    console = Console(file=sys.stdout)
    show_table(console, *view.describe(), warnings)
    show_usable(console, len(examples), refused, flagged)
