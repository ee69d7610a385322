"""Where runs are recorded."""

from typing import Literal

from pydantic import Field

from blip_core.recipes.base import Section

Mirror = Literal["tensorboard", "wandb"]


class Tracking(Section):
    """What a run is filed under, and where else people look."""

    experiment: str = Field(default="", max_length=200)
    """Name of the experiment; if empty, the recipe's name."""
    mirrors: tuple[Mirror, ...] = Field(default=(), strict=False, exclude_if=lambda mirrors: not mirrors)
    """Where runs are shown besides MLflow: `tensorboard` event files, `wandb` offline runs."""
