"""The recipe: what is made and learnt, with which checkpoints and on what hardware."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import Field, model_validator

from blip_core import strict_json
from blip_core.kinds import Kind, kind_identity, kind_of
from blip_core.recipes.annotations import LABELLER, Annotation, labels_of_steps
from blip_core.recipes.base import MAX_SEED, Section, Slug, Task
from blip_core.recipes.champion import Champion
from blip_core.recipes.checking import check_recipe
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.curation import Curation
from blip_core.recipes.dataset import Dataset
from blip_core.recipes.device import Device
from blip_core.recipes.evaluation import Evaluation, SplitEvaluation
from blip_core.recipes.findings import Finding
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.recipes.judging import Judging
from blip_core.recipes.labels import Labels
from blip_core.recipes.phases import BASE, WHOLE, Phase
from blip_core.recipes.pictures import Pictures
from blip_core.recipes.probes import Probe
from blip_core.recipes.scenes import Scenes
from blip_core.recipes.server import FOR_KEYS
from blip_core.recipes.sheet import Sheet
from blip_core.recipes.source import PromptsSource, Source
from blip_core.recipes.tracking import Tracking
from blip_core.recipes.variants import AnyVariant, CrossFitVariant, Variant

SCHEMA_VERSION: Literal[1] = 1


class SectionsDigest(str):
    """A digest that knows what it was taken of: keys hold the digest, manifests tell the fields.

    Attributes:
        sections: of the recipe, as JSON values.
    """

    sections: Mapping[str, Any]

    def __new__(cls, digest: str, sections: Mapping[str, Any]) -> Self:
        made = super().__new__(cls, digest)
        made.sections = sections
        return made


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
    annotations: tuple[Annotation, ...] = Field(default=(), strict=False, exclude_if=lambda steps: not steps)
    """What is found out about rows, or written to them, before the gates; in this order."""
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
    probes: tuple[Probe, ...] = Field(default=(), strict=False, exclude_if=lambda probes: not probes)
    """Fixed rows that are judged before, while and after each tuning: what it forgets shows there."""
    judging: Judging = Field(default=Judging(), exclude_if=Judging().__eq__)
    """Models that look at what variants wrote."""
    sheet: Sheet | None = Field(default=None, exclude_if=lambda sheet: sheet is None)
    """Prompts that every variant goes on with, about a few pictures, for people to read."""
    champion: Champion = Champion()
    """When the tuned adapter becomes the champion."""
    tracking: Tracking = Tracking()
    """Where runs are recorded."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_recipe(self)
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

    @property
    def steps(self) -> dict[str, Annotation]:
        """Its annotation steps in their order, by what they are called."""
        return dict(zip(labels_of_steps(self.annotations), self.annotations, strict=True))

    @property
    def drafting_phases(self) -> tuple[str, ...]:
        """Earlier phases whose adapters write texts of its rows."""
        named = dict.fromkeys(step.drafts_by for step in self.annotations)
        return tuple(name for name in named if name not in ("", LABELLER))

    @property
    def asks_labeller(self) -> bool:
        """Whether its pictures are labelled, rather than described by a step or by a table."""
        drafts_first = bool(self.annotations) and self.annotations[0].step == "draft"
        return self.source.is_labelled and not drafts_first

    @property
    def of_any_length(self) -> Self:
        """The recipe without how many scenes it asks for: the same for a shorter run and a longer one."""
        scenes = self.scenes.model_copy(update={"count": 1, "max_calls_factor": 1.0})
        return self.model_copy(update={"scenes": scenes})

    def with_scenes(self, count: int) -> Self:
        """The recipe that asks for so many scenes."""
        return self.model_copy(update={"scenes": self.scenes.model_copy(update={"count": count})})

    def each_phase(self) -> tuple[Phase, ...]:
        """Its phases in their order; of a recipe that names none, one without a name."""
        return self.phases or (WHOLE,)

    def tuned_phases(self) -> tuple[Phase, ...]:
        """Its phases that learn something: those with a source."""
        return tuple(one for one in self.each_phase() if self.in_phase(one).source.kind != "none")

    @property
    def last_phase(self) -> str:
        """Name of its last phase, whose adapter is the run's; empty where it names none."""
        return self.each_phase()[-1].name

    def in_phase(self, phase: Phase) -> Self:
        """The recipe as one of its phases has it: a recipe of one tuning, which goes by the phase's name."""
        if phase is WHOLE:
            return self
        view = self.model_copy(update={**phase.sections, "phases": (), "phase": phase.name})
        prompts = {**self._prompts_mixed_in(phase), **view.inference.further_prompts}
        prompts.pop(view.task, None)
        asking = view.inference.model_copy(update={"further_prompts": prompts})
        return view.model_copy(update={"inference": asking})

    def _prompts_mixed_in(self, phase: Phase) -> dict[str, str]:
        """How the phases whose rows one mixes in ask them, by task."""
        prompts: dict[str, str] = {}
        for view in (self.in_phase(one) for one in self.phases if one.name in phase.weights):
            prompts |= {**view.inference.further_prompts, view.task: view.inference.answer_prompt}
        return prompts

    @property
    def further_sets(self) -> dict[str, tuple[str, ...]]:
        """Phases whose evaluation rows findings are about, each with the variants that answer them."""
        asked: dict[str, frozenset[str]] = {}
        for finding in self.findings:
            asked[finding.set] = asked.get(finding.set, frozenset()) | finding.about
        joined = {one.name: one.of for one in self.variants if isinstance(one, CrossFitVariant)}
        for rows, about in asked.items():
            asked[rows] = about.union(*(joined.get(name, ()) for name in about))
        names = [variant.name for variant in self.variants]
        return {
            phase.name: tuple(name for name in names if name in asked[phase.name])
            for phase in self.phases
            if phase.name in asked
        }

    def of_set(self, name: str) -> Self:
        """The recipe by which the rows of a set are judged: its own, or that of the phase of that name."""
        return next((self.in_phase(one) for one in self.phases if one.name == name), self)

    def phases_learnt_by(self, name: str) -> tuple[str, ...]:
        """The phase whose adapter a variant carries and those that it goes on from: it learnt all their rows.

        Raises:
            KeyError: No variant of that name carries an adapter of this run.
        """
        starts = {phase.name: phase.start for phase in self.phases}
        seen = [{one.name: self.phase_of(one) for one in self.variants}[name] or self.last_phase]
        while starts.get(seen[-1], BASE) != BASE:
            seen.append(starts[seen[-1]])
        return tuple(seen)

    def phase_of(self, variant: AnyVariant) -> str | None:
        """The phase whose adapter a variant carries, the last unless it names one; None, none of this run."""
        if not isinstance(variant, Variant) or variant.adapter is not True:
            return None
        return variant.phase or self.last_phase

    def digest(self, *sections: str) -> SectionsDigest:
        """Digest of some sections, or of the whole recipe: sha256 of their canonical JSON, in hex.

        Of a model behind a server sections tell what decides its answers; who it is its identity tells.

        Raises:
            KeyError: A name is no section.
        """
        context = FOR_KEYS if sections else None
        content = self.model_dump(mode="json", context=context) | {"task": kind_identity(self.task)}
        chosen = {name: content[name] for name in sections} if sections else content
        canonical = strict_json.dumps(chosen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return SectionsDigest(hashlib.sha256(canonical.encode()).hexdigest(), chosen)

    def to_toml(self) -> str:
        """The recipe in full; loading this text again gives an equal recipe."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True), multiline_strings=True)
