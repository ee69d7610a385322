"""What the models run on."""

from typing import Literal

from pydantic import Field

from blip_core.recipes.base import Section


class Device(Section):
    """The hardware a profile is made for."""

    kind: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run; auto takes a GPU where there is one."""
    threads: int = Field(default=0, ge=0, le=1024)
    """CPU threads; 0 leaves it to torch."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that tune together, each with a GPU of its own or a share of the CPU."""
