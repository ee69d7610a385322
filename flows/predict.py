"""somebody's table -> a variant's answers -> submission, predictions, problems, scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from blip_core.recipes import Recipe
from blip_core.recipes.columns import AnswersRead
from blip_core.reporting.submission import check_out
from blip_core.store import ArtifactRef
from blip_core.wiring import as_answering, asked_as, kind_for, table_of, workplace
from flows.failures import show_failure
from flows.forms import DEFAULT_PROFILE, DEFAULT_RECIPE, ProfileChoice, RecipeChoice, resolve
from flows.phases import Phases
from flows.recording import recorded
from flows.results.answers import keep_answers
from flows.tables import DEFAULT_VARIANT, absolute_paths, column_mapping
from flows.variants.choosing import choose_answering, newest_adapter
from flows.variants.resolving import keep_variants, resolve_variant
from tasks.answer_table import QuestionTable, answer_table
from tasks.stage import only_planned


@flow(name="predict", flow_run_name="predict {variant} {recipe}-{profile}", on_failure=[show_failure])
def predict(
    table: str,
    out: str,
    images: str = "",
    variant: str = DEFAULT_VARIANT,
    recipe: RecipeChoice = DEFAULT_RECIPE,
    profile: ProfileChoice = DEFAULT_PROFILE,
    columns: Sequence[str] = (),
    answers: AnswersRead = "",
    encoding: str = "",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Let a model answer the questions of a table, or caption pictures, and score it if answers are known.

    Args:
        table: CSV, TSV, XLSX, JSON, Parquet or Arrow file, a folder that datasets wrote, or one of pictures,
            on the machine that runs this.
        out: Folder that the answers are written to.
        images: Folder that picture paths start at; empty takes the table's own.
        variant: Variant of the recipe, champion, candidate, models:/NAME@ALIAS, or digest or folder of an
            adapter.
        recipe: How questions are put to the model.
        profile: With which checkpoints and on what hardware.
        columns: Which column is what where that cannot be guessed, each as image=NAME.
        answers: How the table's answers are read; empty, its rows tell.
        encoding: How the table's text is encoded, such as cp949; empty, it is found out.
        overwrite: Whether the folder may hold other files than answers.
        overrides: Fields of the recipe to change, each as section.field=value.
    """
    resolved = resolve(recipe, profile, overrides)
    folder = Path(out).expanduser().absolute()
    check_out(folder, overwrite)
    answering = choose_answering(resolved, variant)
    answerer = resolve_variant(resolved, answering)
    own = {} if answerer.phase is None else {answerer.phase: own_adapter(resolved, answerer.phase)}
    inputs = answerer.inputs(own)
    rows, asking = open_table(resolved, table, images, columns, answers, encoding)
    inputs["variant"] = as_answering(inputs["variant"], resolved, asking)
    with recorded(asking, "predict") as recorder:
        answered = answer_table(recipe=asking, table=rows, **inputs)
        keep_variants(recorder, [answerer])
        return keep_answers(recorder, rows, answered, answering, inputs["adapter"], folder)


def open_table(
    recipe: Recipe,
    table: str,
    images: str,
    columns: Sequence[str],
    answers: AnswersRead = "",
    encoding: str = "",
) -> tuple[QuestionTable, Recipe]:
    """Find a table, its pictures and its columns, as texts of a form or a command line name them; and the
    recipe that asks such rows.
    """
    path, folder = absolute_paths(Path(table), Path(images) if images else None)
    path, pictures = table_of(path)
    given = column_mapping(columns)
    kind = kind_for(recipe, path, given, encoding)
    opened = QuestionTable.open(path, folder or pictures, given, answers, encoding, kind)
    return opened, asked_as(recipe, kind)


def own_adapter(recipe: Recipe, phase: str) -> ArtifactRef:
    """The adapter of a phase: the very one it tunes, else the newest of the recipe's name and base.

    Raises:
        UnknownArtifact: The store holds none.
    """
    with only_planned():
        planned = Phases(recipe).tune(phase)
    return planned if workplace().store.has(planned.key) else newest_adapter(recipe, phase)
