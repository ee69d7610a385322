"""Words that a model ranks in a sentence, in place of writing one."""

from typing import Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Slug, check_placeholders
from blip_core.records import OPTION_LETTERS
from blip_core.texts import loose

BY_OPTIONS: Literal["options"] = "options"
"""The mode in which captions are asked for by ranked options: `untuned@options`."""

MIN_WORDS = 2  # of one word it is known beforehand which is likeliest
_ROW_PLACES = frozenset({"description", "category", "kind", "context"})  # not what is right


class WordOptions(Section):
    """The words of one attribute, and the sentence that the likeliest of them goes on with."""

    name: Slug
    """Name of the attribute, as `color`; later prompts have a place for it."""
    words: tuple[str, ...] = Field(strict=False)
    """The words that are ranked, two to ten."""
    prompt: str = Field(default="{description} with", max_length=2_000)
    """What comes before: {description} and such of a row, {NAME} of attributes that are ranked before it."""
    answer: str = Field(default="{word}", max_length=200)
    """What is ranked for each word; {word} is filled in."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not MIN_WORDS <= len(self.words) <= len(OPTION_LETTERS):
            raise ValueError(
                f"{self.name} holds {len(self.words)} word(s); {MIN_WORDS} to {len(OPTION_LETTERS)} can "
                "be ranked"
            )
        keys = [loose(word) for word in self.words]
        twice = sorted({word for word, key in zip(self.words, keys, strict=True) if keys.count(key) > 1})
        if twice or "" in keys:
            raise ValueError(f"{self.name} holds {', '.join(twice) or 'an empty word'}; words must differ")
        check_placeholders("answer", self.answer, {"word"})
        return self


def check_word_options(options: tuple[WordOptions, ...]) -> None:
    """Refuse prompts with a place that nothing fills in by then, and attributes of one name.

    Raises:
        ValueError: There is one; the message names it.
    """
    before: list[str] = []
    for one in options:
        if one.name in before:
            raise ValueError(f"inference.options holds {one.name} more than once; names must differ")
        check_placeholders(
            f"inference.options.{one.name}.prompt", one.prompt, set(), _ROW_PLACES | set(before)
        )
        before.append(one.name)
