"""The recipe: what is made and learnt, with which checkpoints and on what hardware."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal, Self

import tomli_w
from pydantic import Field, model_validator

from blip_core import strict_json
from blip_core.kinds import Kind, kind_identity, kind_of
from blip_core.recipes.base import MAX_SEED, Section, Slug, Task, check_placeholders
from blip_core.recipes.champion import Champion
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.curation import Curation
from blip_core.recipes.dataset import Dataset
from blip_core.recipes.device import Device
from blip_core.recipes.evaluation import Evaluation, SplitEvaluation
from blip_core.recipes.findings import Finding, check_findings
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.recipes.labels import Labels
from blip_core.recipes.phases import BASE, WHOLE, Phase, check_order, check_start
from blip_core.recipes.pictures import Pictures
from blip_core.recipes.scenes import Scenes
from blip_core.recipes.source import PromptsSource, Source
from blip_core.recipes.tracking import Tracking
from blip_core.recipes.variants import ALIASES, AnyVariant, ServerVariant, Variant

SCHEMA_VERSION: Literal[1] = 1


class Recipe(Section):
    """A resolved recipe. With the code version it names a run fully."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this schema."""
    name: Slug
    """Short name, also of the experiment."""
    title: str = Field(min_length=1, max_length=200)
    """One line for people."""
    task: Task
    """What is learnt: `mcq` (questions with options), `vqa` (with free answers) or `caption`."""
    stages: Annotated[int, Field(ge=1, le=2)] = 1
    """Stages of inference: 2 describes before it answers."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Seed that every other seed is derived from."""
    profile: str = ""
    """Name of the profile it was resolved with; set by the loader."""
    baseline: Checkpoint = Checkpoint(id="Salesforce/blip2-opt-2.7b", dtype="float16")
    """Model of the variants of the role baseline."""
    device: Device = Device()
    """Hardware."""
    source: Source = PromptsSource()
    """Where pictures come from."""
    scenes: Scenes = Scenes()
    """How scenes are written."""
    pictures: Pictures = Pictures()
    """How pictures are painted."""
    labels: Labels = Labels()
    """How pictures are labelled."""
    curation: Curation = Curation()
    """Which labels are kept."""
    dataset: Dataset = Dataset()
    """How examples are split and stored."""
    evaluation: Evaluation = SplitEvaluation()
    """What variants are judged on."""
    finetune: Finetune = Finetune()
    """What is tuned, and how."""
    inference: Inference = Inference()
    """How variants answer."""
    variants: tuple[AnyVariant, ...] = Field(min_length=1, strict=False)
    """Which models are compared; the first is the one that the others are measured against."""
    findings: tuple[Finding, ...] = Field(default=(), strict=False, exclude_if=lambda given: not given)
    """What is expected of the variants, decided by what comes out."""
    phases: tuple[Phase, ...] = Field(default=(), strict=False, exclude_if=lambda phases: not phases)
    """Several tunings, one after the other; without any, the recipe's own sections are the only one."""
    phase: str = Field(default="", exclude_if=lambda phase: not phase)
    """Which of its phases this is; set by a run, never written."""
    champion: Champion = Champion()
    """When the tuned adapter becomes the champion."""
    tracking: Tracking = Tracking()
    """Where runs are recorded."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.phase:  # judging and comparing are the whole recipe's
            _check_sections(self)
            return self
        check_order(self.phases)
        for phase in self.each_phase():
            with _told_of(phase):
                _check_sections(self.in_phase(phase), is_judged=phase.name == self.last_phase)
        _check_phases(self)
        _check_inference(self)
        _check_variants(self)
        _check_findings(self)
        return self

    @property
    def kind(self) -> Kind:
        """What depends on its task."""
        return kind_of(self.task)

    @property
    def experiment(self) -> str:
        """Name of the experiment that its runs are filed under."""
        return self.tracking.experiment or self.name

    @property
    def label(self) -> str:
        """Its name, with that of the phase that it stands for."""
        return f"{self.name} {self.phase}".rstrip()

    def each_phase(self) -> tuple[Phase, ...]:
        """Its phases in their order; of a recipe that names none, one without a name."""
        return self.phases or (WHOLE,)

    @property
    def last_phase(self) -> str:
        """Name of its last phase, whose adapter is the run's; empty where it names none."""
        return self.each_phase()[-1].name

    def in_phase(self, phase: Phase) -> Self:
        """The recipe as one of its phases has it: a recipe of one tuning, which goes by the phase's name."""
        if phase is WHOLE:
            return self
        return self.model_copy(update={**phase.sections, "phases": (), "phase": phase.name})

    def phase_of(self, variant: AnyVariant) -> str | None:
        """The phase whose adapter a variant carries, the last unless it names one; None, none of this run."""
        if not isinstance(variant, Variant) or variant.adapter is not True:
            return None
        return variant.phase or self.last_phase

    def digest(self, *sections: str) -> str:
        """Digest of some sections, or of the whole recipe: sha256 of their canonical JSON, in hex.

        Raises:
            KeyError: A name is no section.
        """
        content = self.model_dump(mode="json") | {"task": kind_identity(self.task)}
        chosen = {name: content[name] for name in sections} if sections else content
        canonical = strict_json.dumps(chosen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_toml(self) -> str:
        """The recipe in full; loading this text again gives an equal recipe."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True), multiline_strings=True)


def _check_sections(recipe: Recipe, *, is_judged: bool = False) -> None:
    """Refuse what cannot work together in one phase; the test rows of the last one may judge."""
    _check_source(recipe)
    _check_labels(recipe)
    _check_inference(recipe)
    if is_judged:
        _check_evaluation(recipe)
    _check_finetune(recipe)
    _check_second_judge(recipe)
    _check_gguf(recipe)


@contextmanager
def _told_of(phase: Phase) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"phase {phase.name}: {error}" if phase.name else str(error)) from error


def _check_phases(recipe: Recipe) -> None:
    _refuse_twice("phases", [phase.name for phase in recipe.phases])
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


def _check_source(recipe: Recipe) -> None:
    if recipe.source.kind == "prompts":
        if not recipe.scenes.categories:
            raise ValueError("source.kind is prompts, but scenes.categories is empty: nothing to write about")
        names = [category.name for category in recipe.scenes.categories]
        _refuse_twice("scenes.categories", names)
        check_placeholders("scenes.prompt", recipe.scenes.prompt, {"per_call", "category", "numbers"})
        check_placeholders("pictures.prompt", recipe.pictures.prompt, {"scene"})
    if recipe.source.kind == "table" and recipe.source.shuffle_options and not recipe.kind.has_options:
        raise ValueError(f"source.shuffle_options is true, but task is {recipe.task}: it has no options")
    model = recipe.labels.model
    if recipe.source.kind == "world" and not (model.is_pocket or model.is_local):
        raise ValueError(
            f"source.kind is world, but labels.model is {model.id}: composed pictures belong to "
            "the pocket world; use the profile pocket or another source"
        )


def _check_labels(recipe: Recipe) -> None:
    if recipe.source.kind == "table" and recipe.source.questions == "table":
        return  # nothing is labelled
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


def _check_inference(recipe: Recipe) -> None:
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
    _refuse_twice("inference.ablations", list(inference.ablations))
    told = [mode for mode in ("one-stage", "description-only") if mode in inference.ablations]
    if recipe.stages == 1 and told:
        raise ValueError(
            f"inference.ablations holds {told[0]}, but stages is 1: nothing describes, so there is no "
            "description to leave out or to be alone with; allowed: blind"
        )
    if not kind.has_options and (inference.circular or inference.ablations):
        raise ValueError(
            f"task is {recipe.task}, and inference.circular or inference.ablations is set: they ask again "
            "about options, and there are none; leave them out"
        )


def _check_evaluation(recipe: Recipe) -> None:
    if recipe.evaluation.kind == "bundled" and not recipe.kind.asks:
        raise ValueError(
            f"evaluation.kind is bundled, but task is {recipe.task}: the bundled set holds questions; use "
            "split or table"
        )
    if recipe.evaluation.kind == "split" and recipe.dataset.test_share == 0:
        raise ValueError("evaluation.kind is split, but dataset.test_share is 0: nothing is left to judge on")


def _check_finetune(recipe: Recipe) -> None:
    if recipe.stages == 2:
        return
    for field in ("describe_share", "own_description_share"):
        share = getattr(recipe.finetune, field)
        if share > 0:
            raise ValueError(f"finetune.{field} is {share}, but stages is 1: nothing describes; set it to 0")


def _check_variants(recipe: Recipe) -> None:
    _refuse_twice("variants", [variant.name for variant in recipe.variants])
    for variant in recipe.variants:
        if isinstance(variant, ServerVariant):
            _check_server(recipe, variant)
            continue
        _check_phase_of(recipe, variant)
        if variant.role == "baseline" and (variant.adapter is True or variant.adapter in ALIASES):
            named = "true" if variant.adapter is True else variant.adapter
            raise ValueError(
                f"variant {variant.name}: adapter is {named}, but role is baseline: the adapter is tuned on "
                "finetune.base; give it the role base"
            )
        if variant.role == "base" and variant.model != recipe.finetune.base:
            raise ValueError(
                f"variant {variant.name}: role is base, but model is {variant.model.id} and finetune.base is "
                f"{recipe.finetune.base.id}: leave model out, or give it the role baseline"
            )


def _check_second_judge(recipe: Recipe) -> None:
    judge = recipe.curation.second_judge
    local = [variant for variant in recipe.variants if isinstance(variant, Variant)]
    allowed = [variant.name for variant in local if variant.adapter_kind in ("none", "folder")]
    if judge.enabled and judge.variant not in allowed:
        raise ValueError(
            f"curation.second_judge.variant is {judge.variant!r}; allowed: {', '.join(allowed) or 'none'} "
            "(variants that are loaded here, without an adapter or with that of a folder)"
        )


def _check_phase_of(recipe: Recipe, variant: Variant) -> None:
    names = [phase.name for phase in recipe.phases]
    named = variant.phase or (str(variant.adapter) if names and variant.adapter_kind == "folder" else "")
    if named and named not in names and "/" not in named:
        there = f"there is {', '.join(names)}" if names else "the recipe has none"
        raise ValueError(
            f"variant {variant.name}: its adapter is that of the phase {named}, and {there}; a folder is "
            "written with ./ before its name"
        )


def _check_server(recipe: Recipe, variant: ServerVariant) -> None:
    if recipe.inference.ranking == "texts":
        raise ValueError(
            f"variant {variant.name}: role is server, but inference.ranking is texts: servers tell "
            "probabilities of first tokens alone; set it to letters, or leave the variant out"
        )


def _check_findings(recipe: Recipe) -> None:
    _refuse_twice("findings", [finding.name for finding in recipe.findings])
    variants = [variant.name for variant in recipe.variants]
    check_findings(recipe.findings, variants, recipe.inference.ablations, recipe.evaluation.kind)


def _check_gguf(recipe: Recipe) -> None:
    checkpoints = {
        "pictures.model": recipe.pictures.model,
        "labels.model": recipe.labels.model,
        "finetune.base": recipe.finetune.base,
        "baseline": recipe.baseline,
    }
    for field, checkpoint in checkpoints.items():
        if checkpoint.file is not None:
            raise ValueError(
                f"{field} names the GGUF file {checkpoint.file}: GGUF holds language models, and only "
                "scenes.model is one"
            )


def _refuse_twice(field: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{field} holds {', '.join(twice)} more than once; names must differ")
