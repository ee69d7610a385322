"""What a recipe expects of its variants, declared before anybody looks."""

from typing import Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Slug

Expectation = Literal["more", "less", "no_worse", "at_least"]


class Finding(Section):
    """A comparison of two variants by one measure, and what is expected of it."""

    name: Slug
    """Short name."""
    measure: Slug = "letter-right"
    """Which measure is compared; `foundry recipes --parts` lists them."""
    set: str = Field(default="", max_length=64)
    """Which evaluation rows; empty takes the recipe's own."""
    a: Slug
    """Variant that is measured against."""
    b: Slug
    """Variant that is measured."""
    test: Literal["paired"] = "paired"
    """How they are compared: row by row, on the same rows."""
    expect: Expectation = "more"
    """What `b` is expected to have beside `a`: more, less, nothing worse, or at least the margin more."""
    margin: float = Field(default=0.0, ge=0.0)
    """How much more, less or worse, in the measure's own unit."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.a == self.b:
            raise ValueError(f"finding {self.name}: a and b are both {self.a}; name two variants")
        return self
