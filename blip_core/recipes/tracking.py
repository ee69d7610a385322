"""Where runs are recorded."""

from pydantic import Field

from blip_core.recipes.base import Section


class Tracking(Section):
    """What a run is filed under."""

    experiment: str = Field(default="", max_length=200)
    """Name of the experiment; if empty, the recipe's name."""
