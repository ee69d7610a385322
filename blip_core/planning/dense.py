"""Whether a language model fits unpacked for batch work, which spares unpacking it at every token."""

from collections.abc import Sequence
from dataclasses import dataclass

from blip_core.planning.advice import changed
from blip_core.planning.cards import CARD_SIZES_GB, Card, fits
from blip_core.planning.stages import Stage, StageSizes
from blip_core.recipes import Recipe


@dataclass(frozen=True)
class Dense:
    """Answering with a dense language model.

    Attributes:
        peak_bytes: of the largest variant.
        packed_bytes: of the same while it is quantised.
        seconds: of all variants on the card that is planned for.
        packed_seconds: likewise while quantised.
        smallest_gb: smallest card that holds it; None where none does.
        is_dense: whether the recipe answers so anyway.
    """

    peak_bytes: int
    packed_bytes: int
    seconds: float
    packed_seconds: float
    smallest_gb: int | None
    is_dense: bool

    def fits(self, card_gb: int) -> bool:
        """Whether it fits a card of such a size."""
        return fits(self.peak_bytes, card_gb)


def plan_dense(recipe: Recipe, sizes: StageSizes, card: Card) -> Dense:
    """Plan answering with and without quantisation."""
    packed = sizes.of("predict", recipe)
    dense = sizes.of("predict", changed(recipe, {"inference.quantisation": "none"}))
    peak = _peak(dense)
    return Dense(
        peak_bytes=peak,
        packed_bytes=_peak(packed),
        seconds=_seconds(dense, card),
        packed_seconds=_seconds(packed, card),
        smallest_gb=next((size for size in CARD_SIZES_GB if fits(peak, size)), None),
        is_dense=recipe.inference.quantisation == "none",
    )


def _peak(stages: Sequence[Stage]) -> int:
    return max(stage.footprint.total for stage in stages)


def _seconds(stages: Sequence[Stage], card: Card) -> float:
    return sum(card.seconds(stage.work) for stage in stages)
