"""Whether a recipe can be run here, told before any work is begun."""

import json
from pathlib import Path

from blip_core.curation import gates_on
from blip_core.errors import TableError
from blip_core.kinds import KINDS, Kind
from blip_core.plugins import refuse_taken
from blip_core.recipes import Curation, Recipe, ServerVariant
from blip_core.recipes.evaluation import TableEvaluation
from blip_core.recipes.source import Source
from blip_core.scoring.findings import check_measures
from blip_core.scoring.measures import MEASURES
from blip_core.wiring.checkpoints import check_checkpoints, folder_of
from blip_core.wiring.environment import prepare_environment
from blip_core.wiring.evaluation import evaluation_examples
from blip_core.wiring.places import workplace
from blip_core.wiring.tuning import check_adapter
from blip_core.wiring.variants import server_key


def check_ready(recipe: Recipe) -> None:
    """Make sure, before any work is begun, that a recipe can be run here.

    Raises:
        UserMistake: See `check_can_run` and `check_checkpoints`, or the adapter does not fit its base.
    """
    check_can_run(recipe)
    check_checkpoints(recipe)
    for phase in recipe.each_phase():
        _check_adapter(recipe.in_phase(phase))
    for variant in recipe.variants:
        if isinstance(variant, ServerVariant):
            server_key(variant)


def _check_adapter(recipe: Recipe) -> None:
    if not _surely_fits(recipe):
        prepare_environment(workplace())  # torch's family is imported now
        check_adapter(recipe)


def _surely_fits(recipe: Recipe) -> bool:
    """Whether the adapter is a preset on a BLIP-2 that is known, which is told without loading torch."""
    if recipe.finetune.adapter.preset is None:
        return False
    try:
        config = json.loads((folder_of(recipe.finetune.base) / "config.json").read_text(encoding="utf-8"))
        return bool(config["architectures"] == ["Blip2ForConditionalGeneration"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def check_can_run(recipe: Recipe) -> None:
    """Make sure that a recipe can be run, and that what it hands in can be read, before any work is begun.

    Raises:
        RecipeError: A finding's measure would have no values.
        TableError: A table or folder that it names is not there, lacks a column or holds too little of use.
    """
    check_measures(recipe)
    if recipe.evaluation.kind == "table":
        evaluation_examples(recipe)
    for phase in recipe.each_phase():
        check_parts(recipe.in_phase(phase))
        if phase.grows_own:
            _check_rows(recipe.in_phase(phase), recipe)


def _check_rows(phase: Recipe, whole: Recipe) -> None:
    _check_source(phase.source, phase.kind)
    if whole.evaluation.kind == "table" and phase.task == whole.task:
        _check_held_out(phase.source, whole.evaluation, whole.kind)


def check_parts(recipe: Recipe) -> None:
    """Make sure that what a recipe takes from installed packages is what it is taken for.

    Raises:
        RecipeError: A part cannot be loaded, has the name of one of ours, or is of another type than its
            entry point says.
        StageFailure: A source cannot say what it would read.
    """
    refuse_taken("kinds", {recipe.task} & KINDS.keys())
    refuse_taken("gates", Curation.model_fields)
    refuse_taken("measures", {measure.name for measure in MEASURES})
    for _ in gates_on(recipe.curation):
        pass  # each is loaded and looked at
    for part in (recipe.scenes.plugin, recipe.pictures.plugin, recipe.labels.plugin):
        if part is not None:
            from blip_core.backends.plugged import backend_of

            backend_of(part)
    if recipe.source.kind == "plugin":
        from blip_core.sources import plugin_digest

        plugin_digest(recipe.source)


def _check_source(source: Source, kind: Kind) -> None:
    if source.kind == "folder":
        from blip_core.sources import picture_names

        picture_names(Path(source.path).expanduser(), source.recursive)
    if source.kind == "table":
        from blip_core.sources import PICTURE_FIELDS, answer_reading, files_of_kind, table_files

        own = source.questions == "table"
        files = files_of_kind(source, kind) if own else table_files(source, PICTURE_FIELDS)
        if own:
            answer_reading(files.path, files.columns, files.answers, files.encoding, needs_answer=True)


def _check_held_out(source: Source, evaluation: TableEvaluation, kind: Kind) -> None:
    """Nothing is judged on that was learnt."""
    if source.kind != "table" or source.questions != "table":
        return
    from blip_core.sources import files_of_kind, questions_asked

    learnt, judged = (questions_asked(*files_of_kind(one, kind)) for one in (source, evaluation))
    both = learnt & judged
    if both:
        raise TableError(
            f"{len(both)} questions about the same pictures stand in source.path ({source.path}) and in "
            f"evaluation.path ({evaluation.path}): what is learnt cannot judge. Take them out of one of the "
            "tables, or set evaluation.kind to split and dataset.test_share to the share that judges"
        )
