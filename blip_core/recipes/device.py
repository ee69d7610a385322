"""What the models run on."""

from typing import Literal

from pydantic import Field

from blip_core.recipes.base import Section


class Device(Section):
    """The hardware a profile is made for."""

    kind: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run; auto takes a GPU where there is one."""
    threads: int = Field(default=2, ge=1, le=1024)
    """Threads of a CPU that models run on; another number gives other last bits, as sums are shared out."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that tune together, each with a GPU of its own or a share of the CPU."""

    def arithmetic(self) -> dict[str, int]:
        """What of the hardware decides the last bits of what models compute: part of every key of theirs."""
        return {} if self.kind == "cuda" else {"threads": self.threads}
