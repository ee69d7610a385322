"""Which models are compared."""

from typing import Literal

from pydantic import Field

from blip_core.recipes.base import Section, Slug
from blip_core.recipes.checkpoint import Checkpoint


class Variant(Section):
    """One model on the ladder."""

    name: Slug
    """Name on the ladder."""
    role: Literal["baseline", "base"]
    """What it stands for: another model to compare with, or the model that is tuned."""
    model: Checkpoint
    """Its checkpoint; a recipe may leave it out, then it is `baseline` or `finetune.base`, by its role."""
    adapter: bool | str = Field(default=False)
    """true: the adapter this run tunes; a text: the folder of an adapter tuned before; false: none."""
