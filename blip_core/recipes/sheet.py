"""The same questions and beginnings of sentences for every variant, on a few pictures, for people to read."""

from typing import Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section

MOST_PROMPTS = 50


class Sheet(Section):
    """A sheet that says nothing of right or wrong: what each variant makes of each prompt and picture."""

    prompts: tuple[str, ...] = Field(min_length=1, max_length=MOST_PROMPTS, strict=False)
    """Whole prompts, such as `Question: What is this? Answer:` or `this is a photo of`."""
    pictures: int = Field(default=4, ge=1, le=100)
    """Pictures, the first of those that are judged."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        plain = [" ".join(prompt.split()) for prompt in self.prompts]
        if "" in plain:
            raise ValueError("prompts holds an empty one: nothing would be asked; take it out")
        twice = sorted({one for one in plain if plain.count(one) > 1})
        if twice:
            raise ValueError(f"prompts holds {twice[0]!r} more than once; take one out")
        return self
