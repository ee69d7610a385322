"""What every part is told: sizes, device, and what the card was measured to reach."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blip_core.planning.live_bytes import Work
from tests.gpu.report.sizes import Sizes

Figures = dict[str, Any]
"""One measurement: `what` was measured, then its figures, each named with its unit."""

Measure = Callable[["Setting"], Iterator[Figures]]
"""Gives measurements one by one, so that what was measured is kept when a later one is stopped."""

PEAKS = "peaks"
MATMUL = "matmul_tflops"
COPY = "copy_gb_per_second"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a part is told.

    Attributes:
        sizes: of all that it measures, for its device.
        device: `cuda` or `cpu`.
        peaks: rates that the card was measured to reach; empty where that part did not get through.
    """

    sizes: Sizes
    device: str
    peaks: Mapping[str, float] = field(default_factory=dict)

    @property
    def where(self) -> Any:
        """The device as planning names it."""
        return "cuda" if self.device == "cuda" else "cpu"

    @property
    def tflops(self) -> float | None:
        return self.peaks.get(MATMUL)

    def shares(self, work: Work, seconds: float) -> Figures:
        """How much of the card's measured rates some work reached, by the operations it is planned as."""
        moved = sum(one.moved * times for one, times in work.counts.items())
        reached = {"share_of_matmul": (MATMUL, work.flops / 1e12), "share_of_copy": (COPY, moved / 1e9)}
        return {
            name: round(done / seconds / self.peaks[peak], 3)
            for name, (peak, done) in reached.items()
            if peak in self.peaks
        }
