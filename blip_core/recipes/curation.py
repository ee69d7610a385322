"""Which labels are worth training on."""

import operator
from typing import Self

from pydantic import Field, field_validator, model_validator

from blip_core.recipes.base import Section
from blip_core.recipes.parts import Settings, complete_settings

PERCEPTUAL_HASH_BITS = 64


class ExactDuplicates(Section):
    """Gate: one picture a content."""

    enabled: bool = True
    """Whether the gate is on."""


class NearDuplicates(Section):
    """Gate: pictures that look alike, by perceptual hash."""

    enabled: bool = True
    """Whether the gate is on."""
    max_distance_bits: int = Field(default=4, ge=0, le=PERCEPTUAL_HASH_BITS)
    """Two pictures are alike when at most this many of the hash's 64 bits differ."""


class BlankPictures(Section):
    """Gate: pictures that show nothing."""

    enabled: bool = True
    """Whether the gate is on."""
    min_deviation: float = Field(default=4.0, ge=0.0, le=128.0)
    """Least standard deviation of grey levels, out of 255."""


class LetterBalance(Section):
    """Gate: no answer letter stands out among the questions with as many options."""

    enabled: bool = True
    """Whether the gate is on."""
    max_share: float = Field(default=0.4, gt=0.25, le=1.0)
    """Largest share of one letter where there are four options; 0.4 stands for 0.6 of two and 0.28 of ten."""


class Lengths(Section):
    """Gate: descriptions of a sensible length."""

    enabled: bool = True
    """Whether the gate is on."""
    min_words: int = Field(default=3, ge=1, le=10_000)
    """Fewest words in a description."""
    max_words: int = Field(default=200, ge=1, le=10_000)
    """Most words in a description."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError(
                f"min_words ({self.min_words}) is above max_words ({self.max_words}): nothing could pass"
            )
        return self


class SecondJudge(Section):
    """Gate: another model answers the question from the picture, and is of the same opinion."""

    enabled: bool = False
    """Whether the gate is on."""
    variant: str = Field(default="", max_length=64)
    """Which variant answers: one that is loaded here and whose adapter is not tuned in this run."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.enabled and not self.variant:
            raise ValueError("enabled is true, but variant is empty: name one of the recipe's variants")
        return self


class Grounding(Section):
    """Gate: texts that name what is known of their row."""

    enabled: bool = False
    """Whether the gate is on."""
    attributes: tuple[str, ...] = Field(default=(), strict=False)
    """Attributes whose words a text must name, and of which it may name no other; empty, all of the rows'."""


class Curation(Section):
    """The gates in their order, each of which can be switched off."""

    lengths: Lengths = Lengths()
    """Descriptions that are too short or too long."""
    blank_pictures: BlankPictures = BlankPictures()
    """Pictures that show nothing."""
    exact_duplicates: ExactDuplicates = ExactDuplicates()
    """Pictures that are already there."""
    near_duplicates: NearDuplicates = NearDuplicates()
    """Pictures that look alike."""
    second_judge: SecondJudge = Field(default=SecondJudge(), exclude_if=SecondJudge().__eq__)
    """Questions that another model answers in another way."""
    grounding: Grounding = Field(default=Grounding(), exclude_if=Grounding().__eq__)
    """Texts that say other than what is known of their row."""
    plugins: dict[str, Settings] = Field(default={}, exclude_if=operator.not_)
    """Gates of installed packages, by name, each with its settings: `[curation.plugins.NAME]`."""
    letter_balance: LetterBalance = LetterBalance()
    """Answers that favour one letter."""

    @field_validator("plugins")
    @classmethod
    def _complete(cls, given: dict[str, Settings]) -> dict[str, Settings]:
        # By name, so that their order in a file, of which keys know nothing, decides nothing.
        return {
            name: complete_settings("gates", name, given[name], cls.model_fields) for name in sorted(given)
        }
