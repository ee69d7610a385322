"""When a tuned adapter becomes the champion."""

from typing import Annotated

from pydantic import Field

from blip_core.recipes.base import Section, Share


class Champion(Section):
    """The alias `champion` moves only if the tuned variant beats its base without adapter by this rule; where
    the champion is among the variants, the champion itself.

    Whatever the rule, the interval of the difference must lie above zero.
    """

    min_difference: Share = 0.0
    """Smallest gain that counts, in accuracy or what else ranks variants: 0.02 is two points."""
    max_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    """Highest p-value that is accepted, after Holm's correction over all comparisons of the run."""
    max_forgotten: Share = Field(default=0.1, exclude_if=lambda share: share == 0.1)
    """Largest share of what the base without adapter scores on a probe that may be lost."""
    min_rows: int = Field(default=100, ge=1)
    """Fewest rows that both must have answered."""
