"""What the fields of a recipe owe each other, beyond what each section checks by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blip_core.kinds import kind_of
from blip_core.recipes.base import check_placeholders
from blip_core.recipes.checking_annotations import check_annotations
from blip_core.recipes.checking_variants import check_judges, check_variants, refuse_twice
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.findings import check_findings
from blip_core.recipes.inference import IMAGE_MARK
from blip_core.recipes.phases import BASE, check_order, check_start

if TYPE_CHECKING:
    from blip_core.recipes.recipe import Recipe


def check_recipe(recipe: "Recipe") -> None:
    """Refuse a recipe whose fields contradict each other.

    Raises:
        ValueError: They do; the message names the fields, and the phase where there are several.
    """
    if recipe.phase:  # judging and comparing are the whole recipe's
        _check_rows(recipe)
        _check_tuning(recipe)
        return
    check_order(recipe.phases)
    _check_annotations(recipe)
    for phase in recipe.each_phase():
        with _told_of(phase.name):
            _check_rows(recipe.in_phase(phase))
    _check_judged(recipe)
    for phase in recipe.each_phase():
        with _told_of(phase.name):
            _check_tuning(recipe.in_phase(phase))
    _check_phases(recipe)
    _check_inference(recipe)
    _check_replaced(recipe)
    check_variants(recipe)
    _check_findings(recipe)
    _check_probes(recipe)


def _check_rows(recipe: "Recipe") -> None:
    """Refuse what cannot work together where the rows of one phase are grown and asked."""
    _check_source(recipe)
    _check_labels(recipe)
    _check_inference(recipe)


def _check_tuning(recipe: "Recipe") -> None:
    """Refuse what cannot work together where one phase tunes on its rows."""
    _check_finetune(recipe)
    check_judges(recipe)
    _check_decontamination(recipe)
    _check_gguf(recipe)


@contextmanager
def _told_of(phase: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"phase {phase}: {error}" if phase else str(error)) from error


def _check_phases(recipe: "Recipe") -> None:
    refuse_twice("phases", [phase.name for phase in recipe.phases])
    tuned = {phase.name: recipe.in_phase(phase).finetune for phase in recipe.phases}
    for phase in recipe.phases:
        settings = tuned[phase.name]
        if settings.base != recipe.finetune.base:
            raise ValueError(
                f"phase {phase.name}: finetune.base is {settings.base.id}, and the recipe's own is "
                f"{recipe.finetune.base.id}: the phases of a recipe tune one model; name it once, in finetune"
            )
        if phase.start != BASE:
            check_start(phase.name, settings, phase.start, tuned[phase.start])


def _check_annotations(recipe: "Recipe") -> None:
    earlier: list[str] = []
    for phase in recipe.each_phase():
        with _told_of(phase.name):
            view = recipe.in_phase(phase)
            check_annotations(view.annotations, earlier, view.source.attributes)
        earlier.append(phase.name)


def _check_judged(recipe: "Recipe") -> None:
    """Refuse rows that would not judge: they have the recipe's task, and a split is the last phase's."""
    last = recipe.in_phase(recipe.each_phase()[-1])
    if recipe.evaluation.kind == "split" and last.task != recipe.task:
        raise ValueError(
            f"task is {recipe.task} and evaluation.kind is split, but the last phase, {last.phase}, learns "
            f"{last.task}: its test rows would not judge; let the last phase have the recipe's task, or "
            "judge by a table"
        )
    _check_evaluation(last.model_copy(update={"evaluation": recipe.evaluation, "task": recipe.task}))
    for name in recipe.further_sets:
        phase = recipe.of_set(name)
        with _told_of(phase.phase):
            _check_evaluation(phase)


def _check_source(recipe: "Recipe") -> None:
    if recipe.source.kind == "prompts":
        if not recipe.scenes.categories:
            raise ValueError("source.kind is prompts, but scenes.categories is empty: nothing to write about")
        names = [category.name for category in recipe.scenes.categories]
        refuse_twice("scenes.categories", names)
        check_placeholders("scenes.prompt", recipe.scenes.prompt, {"per_call", "category", "numbers"})
        check_placeholders("pictures.prompt", recipe.pictures.prompt, {"scene"})
    if recipe.source.kind == "table" and recipe.source.shuffle_options and not recipe.kind.has_options:
        raise ValueError(f"source.shuffle_options is true, but task is {recipe.task}: it has no options")
    if recipe.source.kind == "native" and recipe.source.has_own_texts and recipe.kind.has_options:
        raise ValueError(
            f"source.kind is native, but task is {recipe.task}: published sets hold answers and captions, no "
            "options; let task be vqa or caption, or set source.questions to labeller"
        )
    if recipe.source.kind == "pocket" and recipe.kind.has_options:
        raise ValueError(
            f"source.kind is pocket, but task is {recipe.task}: its rows have sentences and answers, no "
            "options; let task be vqa or caption, or let source.kind be world"
        )
    model = recipe.labels.model
    if recipe.source.kind == "world" and isinstance(model, Checkpoint) and model.is_of_hub:
        raise ValueError(
            f"source.kind is world, but labels.model is {model.id}: composed pictures belong to "
            "the pocket world; use the profile pocket or another source"
        )


def _check_labels(recipe: "Recipe") -> None:
    if not recipe.asks_labeller:
        return
    labels = recipe.labels
    if labels.prompt.count("<image>") != 1:
        raise ValueError("labels.prompt must contain <image> exactly once, where the picture stands")
    if labels.temperature == 0 and labels.retries:
        raise ValueError(
            f"labels.temperature is 0 and labels.retries is {labels.retries}: the same text would come "
            "again; raise the temperature or set retries to 0"
        )
    if labels.temperature == 0 and labels.per_picture > 1:
        raise ValueError(
            f"labels.temperature is 0 and labels.per_picture is {labels.per_picture}: all labels of a "
            "picture would be the same; raise the temperature or ask for one"
        )


def _check_inference(recipe: "Recipe") -> None:
    inference = recipe.inference
    kind = recipe.kind
    if not kind.asks and recipe.stages == 2:
        raise ValueError(
            f"task is {recipe.task} and stages is 2: a {recipe.task} describes, there is nothing to answer"
        )
    if not kind.has_options and not inference.free_generation:
        raise ValueError(
            f"task is {recipe.task} and inference.free_generation is false: there are no options to rank, so "
            "nothing would be answered"
        )
    if recipe.stages == 2 and not inference.describe_prompt.strip():
        raise ValueError(
            "stages is 2 and inference.describe_prompt is empty: write how a picture is described, or set "
            "stages to 1"
        )
    if recipe.stages == 2:
        allowed = {"question", "context"}
        check_placeholders("inference.describe_prompt", inference.describe_prompt, set(), allowed)
    described = {"description"} if recipe.stages == 2 else set()
    check_placeholders(
        "inference.answer_prompt", inference.answer_prompt, kind.places | described, kind.further_places
    )
    for place, wording in enumerate(recipe.finetune.wordings):
        field = f"finetune.wordings[{place}]"
        check_placeholders(field, wording, kind.places | described, kind.further_places)
    for task, prompt in inference.further_prompts.items():
        _check_further_prompt(recipe, task, prompt, described)
    _check_picture_places(recipe)
    refuse_twice("inference.ablations", list(inference.ablations))
    told = [mode for mode in ("one-stage", "description-only") if mode in inference.ablations]
    if recipe.stages == 1 and told:
        raise ValueError(
            f"inference.ablations holds {told[0]}, but stages is 1: nothing describes, so there is no "
            "description to leave out or to be alone with; allowed: blind"
        )
    if kind.asks and inference.options:
        raise ValueError(
            f"task is {recipe.task} and inference.options is set: it lets captions be chosen word by word; "
            "leave it out, or let task be caption"
        )
    if not kind.has_options and (inference.circular or inference.ablations):
        raise ValueError(
            f"task is {recipe.task}, and inference.circular or inference.ablations is set: they ask again "
            "about options, and there are none; leave them out"
        )


def _check_picture_places(recipe: "Recipe") -> None:
    inference = recipe.inference
    prompts = {
        "inference.describe_prompt": inference.describe_prompt,
        "inference.answer_prompt": inference.answer_prompt,
        **{f"inference.further_prompts.{task}": text for task, text in inference.further_prompts.items()},
        **{f"finetune.wordings[{place}]": text for place, text in enumerate(recipe.finetune.wordings)},
    }
    twice = [field for field, text in prompts.items() if text.count(IMAGE_MARK) > 1]
    if twice:
        raise ValueError(
            f"{twice[0]} holds {IMAGE_MARK} more than once: one picture is seen; name its place once, or not "
            "at all where it stands in front"
        )


def _check_further_prompt(recipe: "Recipe", task: str, prompt: str, described: set[str]) -> None:
    field, kind = f"inference.further_prompts.{task}", kind_of(task)
    if task == recipe.task:
        raise ValueError(f"{field} asks rows of the recipe's own task: write inference.answer_prompt instead")
    may = kind.further_places | described if kind.asks else kind.further_places
    check_placeholders(field, prompt, kind.places, may)


def _check_evaluation(recipe: "Recipe") -> None:
    if recipe.evaluation.kind == "bundled" and not recipe.kind.asks:
        raise ValueError(
            f"evaluation.kind is bundled, but task is {recipe.task}: the bundled set holds questions; use "
            "split or table"
        )
    if recipe.evaluation.kind == "native" and recipe.kind.has_options:
        raise ValueError(
            f"evaluation.kind is native, but task is {recipe.task}: published sets hold answers and "
            "captions, no options; let task be vqa or caption"
        )
    if recipe.evaluation.kind == "pocket" and recipe.kind.has_options:
        raise ValueError(
            f"evaluation.kind is pocket, but task is {recipe.task}: its rows have sentences and answers, no "
            "options; use bundled, or let task be vqa or caption"
        )
    if recipe.evaluation.kind == "split" and recipe.source.kind == "none":
        raise ValueError(
            "evaluation.kind is split, but source.kind is none: nothing is grown that could be split; "
            "judge by table, native or bundled"
        )
    if recipe.evaluation.kind == "split" and recipe.dataset.test_share == 0 and not recipe.dataset.hold_out:
        raise ValueError("evaluation.kind is split, but dataset.test_share is 0: nothing is left to judge on")


def _check_finetune(recipe: "Recipe") -> None:
    if recipe.stages == 2:
        return
    for field in ("describe_share", "own_description_share"):
        share = getattr(recipe.finetune, field)
        if share > 0:
            raise ValueError(f"finetune.{field} is {share}, but stages is 1: nothing describes; set it to 0")


def _check_replaced(recipe: "Recipe") -> None:
    """Refuse to judge a language model that was trained in full as a quantised one."""
    replaced = [
        one for one in recipe.each_phase() if recipe.in_phase(one).finetune.adapter.replaces_language_model
    ]
    if replaced and recipe.inference.quantisation != "none":
        raise ValueError(
            f"{replaced[0].path_of('finetune.adapter')} trains language_model in full, and "
            f"inference.quantisation is {recipe.inference.quantisation}: the tuned one would not be judged; "
            "set inference.quantisation to none"
        )


def _check_decontamination(recipe: "Recipe") -> None:
    gate = recipe.curation.decontamination
    if gate.enabled and not gate.against and recipe.evaluation.kind == "split":
        raise ValueError(
            "curation.decontamination.enabled is true, but evaluation.kind is split, whose rows the splits "
            "keep apart, and curation.decontamination.against names nothing: name a table, a set or a "
            "dataset folder there, or switch the gate off"
        )


def _check_findings(recipe: "Recipe") -> None:
    refuse_twice("findings", [finding.name for finding in recipe.findings])
    variants = [variant.name for variant in recipe.variants]
    views = {phase.name: recipe.in_phase(phase) for phase in recipe.phases}
    sets = {recipe.evaluation.kind: recipe, **views}
    check_findings(recipe.findings, variants, {name: one.inference.modes for name, one in sets.items()})


def _check_probes(recipe: "Recipe") -> None:
    refuse_twice("probes", [probe.name for probe in recipe.probes])
    for probe in recipe.probes:
        kind = kind_of(probe.task)
        if probe.prompt is not None:
            field = f"probes.{probe.name}.prompt"
            check_placeholders(field, probe.prompt, kind.places, kind.further_places)
        with _told_of_probe(probe.name):
            _check_evaluation(recipe.model_copy(update={"evaluation": probe.rows, "task": probe.task}))


@contextmanager
def _told_of_probe(probe: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"probe {probe}: {error}") from error


def _check_gguf(recipe: "Recipe") -> None:
    checkpoints = {
        "pictures.model": recipe.pictures.model,
        "labels.model": recipe.labels.model,
        "finetune.base": recipe.finetune.base,
        "baseline": recipe.baseline,
    }
    for field, checkpoint in checkpoints.items():
        if isinstance(checkpoint, Checkpoint) and checkpoint.file is not None:
            raise ValueError(
                f"{field} names the GGUF file {checkpoint.file}: GGUF holds language models, and only "
                "scenes.model is one"
            )
