"""Cards: how much memory they have, and what they compute at best."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from blip_core.errors import RecipeError
from blip_core.planning.live_bytes import Work

CARD_SIZES_GB = (8, 12, 16, 24, 40, 80, 141)
GB = 10**9  # makers count in larger units; what they give beyond it, drivers and fragmentation take
CONTEXT_BYTES = 600_000_000
"""Allowance for the CUDA context and the kernels it loads; not allocated by torch, not measured here."""

PEAK_SHARE = 0.5  # of a card's matrix peak that large products reach; an assumption until somebody measures
BANDWIDTH_SHARE = 0.7  # of its bandwidth that everything else reaches; likewise
LAUNCH_SECONDS = 10e-6  # below which no operation goes when it is launched from Python; likewise


@dataclass(frozen=True, slots=True)
class Card:
    """What runs models.

    Attributes:
        name: as people call it.
        memory_gb: its memory; 0 where it is the machine's own.
        half_tflops: dense bfloat16 peak with float32 sums, in 10^12 FLOPs a second.
        single_tflops: float32 peak without matrix units.
        bandwidth_gb_s: of its memory, in 10^9 bytes a second.
        source: where the figures stand.
    """

    name: str
    memory_gb: int
    half_tflops: float
    single_tflops: float
    bandwidth_gb_s: float
    source: str

    def seconds(self, work: Work) -> float:
        """Seconds of some work: each operation is bound by computing, by memory or by its launch."""
        single = self.single_tflops * 1e12 * PEAK_SHARE
        half = self.half_tflops * 1e12 * PEAK_SHARE
        moving = self.bandwidth_gb_s * 1e9 * BANDWIDTH_SHARE
        return sum(
            times * max(one.flops / (single if one.single else half), one.moved / moving, LAUNCH_SECONDS)
            for one, times in work.counts.items()
        )


_AMPERE = "NVIDIA Ampere GA102 GPU architecture whitepaper"
_CARDS = (
    Card("RTX 3070", 8, 40.6, 20.3, 448, _AMPERE),
    Card("RTX A2000", 12, 31.9, 8.0, 288, "NVIDIA RTX A2000 datasheet, half its peak with sparsity"),
    Card("RTX A4000", 16, 76.7, 19.2, 448, "NVIDIA RTX A4000 datasheet, half its peak with sparsity"),
    Card("A10", 24, 125.0, 31.2, 600, "NVIDIA A10 datasheet"),
    Card("RTX 4090", 24, 165.2, 82.6, 1008, "NVIDIA Ada GPU architecture whitepaper"),
    Card("A100 40GB", 40, 312.0, 19.5, 1555, "NVIDIA A100 datasheet"),
    Card("A100 80GB", 80, 312.0, 19.5, 2039, "NVIDIA A100 datasheet"),
    Card("H100", 80, 989.4, 66.9, 3350, "NVIDIA H100 datasheet (SXM), half its peak with sparsity"),
    Card("H200", 141, 989.4, 66.9, 4800, "NVIDIA H200 datasheet (SXM), half its peak with sparsity"),
)
CARDS: Mapping[str, Card] = {card.name: card for card in _CARDS}

_CORE_GFLOPS = 80  # two AVX2 multiply-adds of eight float32 numbers a cycle at 2.5 GHz
_CORE_BANDWIDTH_GB_S = 10


def card_named(name: str) -> Card:
    """A card of the table, upper or lower case.

    Raises:
        RecipeError: There is none of that name.
    """
    found = {card.name.lower(): card for card in _CARDS}.get(name.lower())
    if found is None:
        raise RecipeError(f"no card {name!r} is known; --card takes {', '.join(CARDS)}")
    return found


def card_of_device(name: str) -> Card | None:
    """The card of the table that a driver's name speaks of, as NVIDIA H200 of H200; the longest that does."""
    spoken = name.lower().replace("-", " ")
    found = [card for card in _CARDS if all(word in spoken for word in card.name.lower().split())]
    return max(found, key=lambda card: len(card.name), default=None)


def processor(threads: int = 0) -> Card:
    """This machine's processor, or so many threads of it."""
    cores = threads or os.cpu_count() or 1
    peak = cores * _CORE_GFLOPS / 1000
    name = f"{cores} CPU core{'s' if cores > 1 else ''}"
    return Card(name, 0, peak, peak, cores * _CORE_BANDWIDTH_GB_S, "AVX2 at 2.5 GHz, 10 GB/s a core: assumed")


def fits(device_bytes: int, card_gb: int) -> bool:
    """Whether a stage that allocates so many bytes runs on a card of such a size."""
    return device_bytes + CONTEXT_BYTES <= card_gb * GB
