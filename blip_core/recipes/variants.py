"""Which models are compared."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Slug
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.server import Server, ThinkingTokens

AdapterKind = Literal["none", "own", "registered", "stored", "folder"]

Answering = Literal["written", "ranked", "read"]

CHAMPION = "champion"
ALIASES = (CHAMPION, "candidate")
REGISTRY_SCHEME = "models:/"
_REGISTERED = re.compile(r"models:/[^/@\s]+(@[^/@\s]+|/[0-9]+)")
_DIGEST = re.compile(r"[0-9a-f]{12,64}")


class Published(Section):
    """A score that was published of a checkpoint, to be held beside what is measured here."""

    measure: Slug
    """Which measure it is."""
    value: float = Field(ge=0.0, le=1_000.0)
    """The score, in the measure's own unit: a share is written as 0.631."""
    model: str = Field(min_length=1, max_length=200)
    """Checkpoint that it was published of, as the hub calls it."""
    source: str = Field(min_length=1, max_length=300)
    """Where it stands."""


class Variant(Section):
    """One model on the ladder."""

    name: Slug
    """Name on the ladder."""
    role: Literal["baseline", "base"]
    """What it stands for: another model to compare with, or the model that is tuned."""
    model: Checkpoint
    """Its checkpoint; a recipe may leave it out, then it is `baseline` or `finetune.base`, by its role."""
    answer_prompt: str = Field(default="", exclude_if=lambda prompt: not prompt)
    """How it is asked, where that differs from `inference.answer_prompt`; empty, as the others are."""
    answers: Answering = Field(default="written", exclude_if=lambda answers: answers == "written")
    """Answers without options: in free words, ranked of a closed set, or read out of its own description."""
    adapter: bool | str = Field(default=False)
    """false: none; true: this run's; a text: a phase's, champion, models:/NAME@ALIAS, digest or folder."""
    published: tuple[Published, ...] = Field(default=(), strict=False, exclude_if=lambda given: not given)
    """Scores that were published of it on the rows that judge here."""
    phase: str = Field(default="", exclude_if=lambda phase: not phase)
    """The phase of this run that tuned it; set by the loader where `adapter` names one, or is true."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        text = self.adapter if isinstance(self.adapter, str) else "."
        if not text:
            raise ValueError("adapter is an empty text: write false for none")
        if text.startswith(REGISTRY_SCHEME) and not _REGISTERED.fullmatch(text):
            raise ValueError(
                f"adapter is {text!r}; of a registry it is models:/NAME@ALIAS or models:/NAME/VERSION"
            )
        if self.phase and self.adapter is not True:
            raise ValueError(f"phase is {self.phase!r}, but adapter is not true: name the phase in adapter")
        return self

    @property
    def adapter_kind(self) -> AdapterKind:
        """Where its adapter comes from; a folder that is named like another kind is written with ./ first."""
        if isinstance(self.adapter, bool):
            return "own" if self.adapter else "none"
        if self.adapter in ALIASES or self.adapter.startswith(REGISTRY_SCHEME):
            return "registered"
        return "stored" if _DIGEST.fullmatch(self.adapter) else "folder"


class ServerVariant(Server):
    """A model behind a server, on the ladder."""

    name: Slug
    """Name on the ladder."""
    role: Literal["server"]
    """The model is not loaded here: a server answers."""
    answer_tokens: int = Field(default=32, ge=1, le=4_096)
    """Longest answer, in tokens: room for a sentence that names a letter."""
    thinking_tokens: ThinkingTokens = 0
    """Tokens that a reasoning model may think before a description or an answer: room beside theirs."""

    @property
    def adapter(self) -> Literal[False]:
        """None that is known here: a server answers with what it was started with."""
        return False


class CrossFitVariant(Section):
    """What several variants say of rows that each of them learnt, or of rows that each of them did not."""

    name: Slug
    """Name on the ladder."""
    role: Literal["cross-fit"]
    """No model of its own: every row is taken from one of those that it joins."""
    of: tuple[Slug, ...] = Field(min_length=2, strict=False)
    """Variants before it that carry adapters of phases, such as one a fold (`dataset.hold_out`)."""
    rows: Literal["seen", "unseen"]
    """Whose answer to a row is taken: of the first that learnt it, or of the first that never saw it."""

    @property
    def adapter(self) -> Literal[False]:
        """None of its own."""
        return False


AnsweringVariant = Variant | ServerVariant
"""One that answers questions itself."""

AnyVariant = Annotated[Variant | ServerVariant | CrossFitVariant, Field(discriminator="role")]
