"""Which labels are worth training on."""

import operator
from typing import Self

from pydantic import Field, field_validator, model_validator

from blip_core.recipes.base import Section, Share, Slug
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


class AttributeCoverage(Section):
    """Gate: of each row's attributes enough are known."""

    enabled: bool = False
    """Whether the gate is on."""
    attributes: tuple[Slug, ...] = Field(default=(), strict=False)
    """Which attributes; empty, all that the row has."""
    undefined: str = Field(default="undefined", min_length=1, max_length=100)
    """Word that stands for none, as the step that found them writes it; an empty one counts as none, too."""
    min_share: Share = 1.0
    """Least share of them that has to be known."""
    min_margin: float = Field(default=0.0, ge=-2.0, le=2.0)
    """Least stored margin, NAME-margin, of an attribute that counts as known, where there is one."""


class SingleAnswers(Section):
    """Gate: free answers that several rows share."""

    enabled: bool = False
    """Whether the gate is on."""
    min_rows: int = Field(default=2, ge=2, le=10_000)
    """Fewest rows that an answer must be right for."""


class VagueTexts(Section):
    """Gate: texts and categories that say something definite."""

    enabled: bool = False
    """Whether the gate is on."""
    words: tuple[str, ...] = Field(default=("various", "something", "other"), strict=False)
    """Words that a caption or an answer must not say."""
    categories: tuple[str, ...] = Field(default=(), strict=False)
    """Categories that are too vague, as `denim`, which is a cloth and not a garment."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(not word.strip() for word in (*self.words, *self.categories)):
            raise ValueError("words and categories must not hold an empty text, which every row would say")
        return self


class Repetition(Section):
    """Gate: descriptions and captions that do not repeat themselves."""

    enabled: bool = False
    """Whether the gate is on."""
    max_share: Share = 0.1
    """Largest share of runs of four words that came before in the text."""


class Unfinished(Section):
    """Gate: descriptions and captions that end as sentences do."""

    enabled: bool = False
    """Whether the gate is on."""


class Curation(Section):
    """The gates in their order, each of which can be switched off."""

    lengths: Lengths = Lengths()
    """Descriptions that are too short or too long."""
    attribute_coverage: AttributeCoverage = Field(
        default=AttributeCoverage(), exclude_if=AttributeCoverage().__eq__
    )
    """Rows of whose attributes too few are known."""
    vague_texts: VagueTexts = Field(default=VagueTexts(), exclude_if=VagueTexts().__eq__)
    """Texts that say nothing definite."""
    repetition: Repetition = Field(default=Repetition(), exclude_if=Repetition().__eq__)
    """Texts that repeat themselves."""
    unfinished: Unfinished = Field(default=Unfinished(), exclude_if=Unfinished().__eq__)
    """Texts that stop before their end."""
    single_answers: SingleAnswers = Field(default=SingleAnswers(), exclude_if=SingleAnswers().__eq__)
    """Free answers that are right once."""
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
