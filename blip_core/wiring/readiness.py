"""Whether a recipe can be run here, told before any work is begun."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blip_core.annotating import step_of
from blip_core.curation import Gate, gates_on
from blip_core.errors import RecipeError, TableError
from blip_core.kinds import KINDS, Kind
from blip_core.plugins import refuse_taken
from blip_core.prefetching import check_image_token
from blip_core.recipes import Checkpoint, Curation, Recipe, Section, ServerVariant, Variant
from blip_core.recipes.annotations import STEP_NAMES
from blip_core.recipes.curation import Decontamination
from blip_core.recipes.evaluation import Evaluation, TableEvaluation
from blip_core.recipes.source import Source
from blip_core.scoring.findings import check_measures
from blip_core.scoring.measures import MEASURES
from blip_core.scoring.published import check_published
from blip_core.wiring.checkpoints import check_checkpoints, folder_of
from blip_core.wiring.environment import prepare_environment
from blip_core.wiring.evaluation import evaluation_examples
from blip_core.wiring.executors import check_executor
from blip_core.wiring.held_out import JudgingRows
from blip_core.wiring.places import workplace
from blip_core.wiring.probes import check_probes, probe_views
from blip_core.wiring.served import with_server_facts
from blip_core.wiring.tuning import check_adapter
from blip_core.wiring.variants import server_key


def check_ready(recipe: Recipe) -> Recipe:
    """Make sure, before any work is begun, that a recipe can be run here.

    Returns:
        The recipe, with what servers tell of the models that they work.

    Raises:
        UserMistake: See `check_can_run` and `check_checkpoints`, the adapter does not fit its base,
            or a variant is no BLIP-2 that sees pictures.
        StageFailure: A server of a text step is away, refuses, or does not serve the model.
    """
    check_can_run(recipe)
    check_executor(recipe)
    check_checkpoints(recipe)
    for phase in recipe.each_phase():
        _check_adapter(recipe.in_phase(phase))
        _check_answers(recipe.in_phase(phase).finetune.base)
    for variant in recipe.variants:
        if isinstance(variant, ServerVariant):
            server_key(variant)
        elif isinstance(variant, Variant):
            _check_answers(variant.model)
    return with_server_facts(recipe)


def _check_answers(checkpoint: Checkpoint) -> None:
    """Refuse what cannot answer: it would be found out when all is made and tuned."""
    folder = folder_of(checkpoint)
    if not _is_known(folder):
        prepare_environment(workplace())  # torch's family is imported now
        from blip_core.modeling.loading import check_blip2_folder

        check_blip2_folder(folder)
    check_image_token(folder)


def _check_adapter(recipe: Recipe) -> None:
    """Refuse an adapter that does not fit; that a preset fits every BLIP-2 is known without loading torch."""
    if recipe.finetune.adapter.preset is None or not _is_known(folder_of(recipe.finetune.base)):
        prepare_environment(workplace())  # torch's family is imported now
        check_adapter(recipe)


def _is_known(folder: Path) -> bool:
    """Whether a folder holds a BLIP-2 as the sources use it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        language = config["text_config"].get("model_type")
        return config["architectures"] == ["Blip2ForConditionalGeneration"] and language in ("t5", "opt")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def check_can_run(recipe: Recipe) -> None:
    """Make sure that a recipe can be run, and that what it hands in can be read, before any work is begun.

    Raises:
        RecipeError: A finding's measure would have no values.
        TableError: A table or folder that it names is not there, lacks a column or holds too little of use.
    """
    check_measures(recipe)
    check_published(recipe)
    check_probes(recipe)
    judged = [recipe, *(recipe.of_set(name) for name in recipe.further_sets)]
    watched = [*judged, *probe_views(recipe)]
    for one in watched:
        if one.evaluation.kind == "table":
            evaluation_examples(one)
        if one.evaluation.kind == "native":
            from blip_core.sources import NativeExamples

            NativeExamples(one.evaluation, one.task).check()
    for phase in recipe.each_phase():
        check_parts(recipe.in_phase(phase))
        if phase.grows_own:
            _check_rows(recipe.in_phase(phase), watched)


def _check_rows(phase: Recipe, judged: Sequence[Recipe]) -> None:
    _check_source(phase.source, phase.kind)
    for one in judged:
        _check_other_pictures(phase.source, one.evaluation)
        if one.evaluation.kind == "table" and phase.task == one.task:
            _check_held_out(phase.source, one.evaluation, one.kind)


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
    for gate, settings in gates_on(recipe.curation):  # each is loaded and looked at
        _check_gate(recipe, gate, settings)
    refuse_taken("steps", STEP_NAMES)
    for step in recipe.annotations:
        step_of(step)
    for part in (recipe.scenes.plugin, recipe.pictures.plugin, recipe.labels.plugin):
        if part is not None:
            from blip_core.backends.plugged import backend_of

            backend_of(part)
    if recipe.source.kind == "plugin":
        from blip_core.sources import plugin_digest

        plugin_digest(recipe.source)


def _check_gate(recipe: Recipe, gate: Gate[Any], settings: Section) -> None:
    """Let one of our gates say now what it lacks, not when labels are made: a library, a list, a table."""
    if gate.origin:
        return
    if gate.port is None:
        gate.judge([], settings)
    if isinstance(settings, Decontamination):
        JudgingRows(recipe, settings).identity()


def _check_source(source: Source, kind: Kind) -> None:
    if source.kind == "folder":
        from blip_core.sources import picture_names

        picture_names(Path(source.path).expanduser(), source.recursive)
    if source.kind == "native":
        from blip_core.sources import check_native, count_native

        check_native(source, kind.name) if source.has_own_texts else count_native(source)
    if source.kind == "table":
        from blip_core.sources import PICTURE_FIELDS, answer_reading, files_of_kind, table_files

        own = source.questions == "table"
        files = files_of_kind(source, kind) if own else table_files(source, PICTURE_FIELDS)
        if own:
            answer_reading(files.path, files.columns, files.answers, files.encoding, needs_answer=True)


def _check_other_pictures(source: Source, evaluation: Evaluation) -> None:
    if source.kind == "pocket" and evaluation.kind == "pocket" and source.shows_same(evaluation):
        raise RecipeError(
            f"evaluation and source show the same pictures (world {source.world}, split {source.split}, seed "
            f"{source.seed}): nothing is judged on that was learnt; give evaluation.seed another number"
        )


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
