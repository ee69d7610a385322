"""Settings of the gates that read texts alone."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Share, Slug


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


class HostileTexts(Section):
    """Gate: texts without hidden characters, markup, marks of prompts or orders to a model."""

    enabled: bool = False
    """Whether the gate is on."""
    max_word_characters: int = Field(default=80, ge=20, le=100_000)
    """Longest word of a text; the longest in English dictionaries have 45 letters."""


class SelfAnswering(Section):
    """Gate: questions whose wording, or whose options, do not give the answer away."""

    enabled: bool = False
    """Whether the gate is on."""
    min_share: Share = 0.6
    """Share of the words that the right option has for itself which a question may not say."""


class Language(Section):
    """Gate: questions and descriptions in the languages that are asked for (extra `gates`)."""

    enabled: bool = False
    """Whether the gate is on."""
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...] = Field(
        default=("en",), min_length=1, strict=False
    )
    """Languages that may be used, by their ISO 639 codes."""
    min_certainty: float = Field(default=0.95, ge=0.5, le=1.0)
    """How sure it must be that a text is in none of them for a row to be refused."""
    min_words: int = Field(default=5, ge=1, le=1_000)
    """Shorter texts tell too little and pass."""


class Profanity(Section):
    """Gate: texts without profanity, as the word lists of a kept library have it (extra `gates`)."""

    enabled: bool = False
    """Whether the gate is on."""
    languages: tuple[Slug, ...] = Field(default=("english",), min_length=1, strict=False)
    """Whose word lists are asked, by their English names."""
    allowed_words: tuple[str, ...] = Field(default=("cock", "pussy", "ass"), strict=False)
    """Words of the lists that pictures may show: animals, for instance."""


class UnsafeWords(Section):
    """Gate: texts without words that a recipe does not want in its data."""

    enabled: bool = False
    """Whether the gate is on."""
    words: tuple[str, ...] = Field(
        default=(
            *("naked", "nude", "porn", "pornographic", "erotic", "genitals"),
            *("corpse", "dead body", "gore", "behead", "decapitate", "mutilate", "torture"),
            *("suicide", "self-harm", "overdose", "terrorist", "bomb", "massacre", "swastika"),
        ),
        min_length=1,
        strict=False,
    )
    """Words, or words side by side, that no text may say, in whatever number."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(not word.strip() for word in self.words):
            raise ValueError("words must not hold an empty text, which every row would say")
        return self


class PersonalData(Section):
    """Gate: texts without addresses and numbers of persons, checked by their check digits (extra `gates`)."""

    enabled: bool = False
    """Whether the gate is on."""
    look_for: tuple[Literal["e-mail", "phone", "card", "iban", "ssn"], ...] = Field(
        default=("e-mail", "phone", "card", "iban", "ssn"), min_length=1, strict=False
    )
    """What is looked for: `card` is a payment card, `ssn` a social security number of the United States."""
    region: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    """Country, by its ISO 3166 code, whose phone numbers may be written without a country's code."""
