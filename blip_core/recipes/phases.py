"""Phases: several tunings of one recipe, one after the other, each with the rows it learns from."""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from blip_core.recipes.annotations import Annotation
from blip_core.recipes.base import MAX_SEED, Section, Slug, Task
from blip_core.recipes.curation import Curation
from blip_core.recipes.dataset import Dataset
from blip_core.recipes.evaluation import EVALUATION_KINDS, Evaluation
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.recipes.labels import Labels
from blip_core.recipes.pictures import Pictures
from blip_core.recipes.scenes import Scenes
from blip_core.recipes.source import Source
from blip_core.recipes.variants import ALIASES

BASE = "base"
OWN = "own"

Weight = Annotated[float, Field(ge=0.0, le=1e6)]


class Phase(Section):
    """One of several tunings. What it leaves out it takes from the recipe's own sections, field by field."""

    name: Slug
    """Name, also of the adapter that variants carry."""
    start: Slug = BASE
    """What it goes on from: `base`, or the adapter of an earlier phase with the same adapter settings."""
    rows: dict[Slug, Weight] = Field(default_factory=dict)
    """Weight of each set it learns from: `own` or an earlier phase; empty, its own alone."""
    task: Task | None = None
    """What it learns."""
    stages: Annotated[int, Field(ge=1, le=2)] | None = None
    """Stages of inference that it trains."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    """Seed of its rows and its tuning."""
    source: Source | None = None
    """Where its pictures come from."""
    scenes: Scenes | None = None
    """How its scenes are written."""
    pictures: Pictures | None = None
    """How its pictures are painted."""
    labels: Labels | None = None
    """How its pictures are labelled."""
    annotations: Annotated[tuple[Annotation, ...], Field(strict=False)] | None = Field(
        default=None, exclude_if=lambda steps: steps is None
    )
    """What is found out about its rows, or written to them, before the gates."""
    curation: Curation | None = None
    """Which of its labels are kept."""
    dataset: Dataset | None = None
    """How its examples are split and stored."""
    finetune: Finetune | None = None
    """What is tuned, and how."""
    inference: Inference | None = None
    """The prompts it trains with."""
    evaluation: Evaluation | None = None
    """Rows that findings whose `set` is this phase are judged on."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name in RESERVED:
            raise ValueError(f"a phase is named {self.name}, which means something else; choose another name")
        if self.rows and not any(self.rows.values()):
            raise ValueError(f"the weights in rows of phase {self.name} sum to 0: nothing would be learnt")
        if self.rows and self.source and not self.grows_own:
            raise ValueError(
                f"phase {self.name} has a source of its own, and rows gives {OWN} no weight: nothing would "
                f"be taken from it; add {OWN} to rows, or leave source out"
            )
        return self

    @property
    def sections(self) -> dict[str, Any]:
        """What it says itself, by the name of the recipe's field."""
        said = {name: getattr(self, name) for name in PHASE_SECTIONS}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def grows_own(self) -> bool:
        """Whether it learns from rows of its own."""
        return not self.rows or bool(self.rows.get(OWN))

    def path_of(self, field: str) -> str:
        """Where its field stands in a recipe, as people name it."""
        return f"phases.{self.name}.{field}" if self.name else field

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the sets it learns from, those of no weight left out; empty, its own rows alone."""
        weights = {name: weight for name, weight in self.rows.items() if weight}
        return {} if [*weights] == [OWN] else weights


PHASE_SECTIONS = tuple(name for name in Phase.model_fields if name not in ("name", "start", "rows"))
RESERVED = (BASE, OWN, *ALIASES, *EVALUATION_KINDS)
WHOLE = Phase.model_construct(name="")
"""The one phase of a recipe that names none: all of its own sections."""


def check_order(phases: Sequence[Phase]) -> None:
    """Refuse phases that begin with, or learn from, what is not there before them.

    Raises:
        ValueError: There is one; the message names the phase and what is there.
    """
    names = [phase.name for phase in phases]
    for place, phase in enumerate(phases):
        earlier = names[:place]
        _check_earlier(phase.name, "starts from", (phase.start,), names, (BASE, *earlier))
        _check_earlier(phase.name, "learns from the rows of", phase.rows, names, (OWN, *earlier))


def _check_earlier(
    phase: str, does: str, named: Iterable[str], names: Collection[str], allowed: Collection[str]
) -> None:
    for name in named:
        if name in allowed:
            continue
        after = f"{name}, which comes after it" if name in names else f"{name}, and there is no such phase"
        told = "itself" if name == phase else after
        raise ValueError(f"phase {phase} {does} {told}; allowed here: {', '.join(allowed)}")


def check_start(name: str, own: Finetune, start: str, before: Finetune) -> None:
    """Refuse an adapter that does not fit the one it goes on from; dropout alone may differ.

    Raises:
        ValueError: They differ; the message names the fields.
    """
    ours, theirs = own.adapter.model_dump(), before.adapter.model_dump()
    differing = [field for field in ours if field != "dropout" and ours[field] != theirs[field]]
    if differing:
        told = ", ".join(
            f"{field} is {_shown(ours[field])} and was {_shown(theirs[field])}" for field in differing
        )
        raise ValueError(
            f"phase {name} starts from {start}, whose adapter does not fit: finetune.adapter differs "
            f"({told}); give both the same adapter, or let {name} start from {BASE}"
        )


def _shown(value: object) -> str:
    return "none" if value in (None, ()) else str(value)
