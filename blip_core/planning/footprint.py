"""What a stage holds in memory at its peak, and what it computes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from blip_core.planning.live_bytes import Work


@dataclass(frozen=True)
class Footprint:
    """Bytes of a stage on the device that its model runs on, at the peak.

    Attributes:
        weights: of the models that are resident.
        kept: what stays from batch to batch: optimiser states, accumulated gradients, kept features.
        working: the most that one batch allocates besides.
        work: of one batch.
        forward: of tuning, the part of the work that a validation does as well.
        waiting: weights in main memory that come to the device by turns; none where all are on it.
        is_coarse: whether all but the weights is bounded, and not traced.
    """

    weights: int
    kept: int
    working: int
    work: Work = field(default_factory=Work)
    forward: Work = field(default_factory=Work)
    waiting: int = 0
    is_coarse: bool = False

    @property
    def total(self) -> int:
        return self.weights + self.kept + self.working

    def keeping(self, kept: int) -> "Footprint":
        """The same with more that stays."""
        return replace(self, kept=self.kept + kept)


def parameter_bytes(modules: Sequence[nn.Module]) -> int:
    """Bytes of the weights and buffers of modules; shared ones count once a module."""
    tensors = [t for module in modules for t in (*module.parameters(), *module.buffers())]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
