"""Which of many 64-bit hashes differ from one in few bits: exactly, and without looking at all of them.

Multi-index hashing (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space ...", arXiv 1307.2982).
Hashes are filed by each of four bands of 16 bits. Two that differ in at most d bits differ in at most d // 4
of some band, or else every band would differ in more: so the bands that near are looked up, and what is filed
there is compared. Where more bands would be looked up than hashes are held, all hashes are compared.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import comb

from blip_core.recipes.curation import PERCEPTUAL_HASH_BITS

_BAND_BITS = 16  # 65,536 places a band: some millions of hashes leave few in each
_BANDS = PERCEPTUAL_HASH_BITS // _BAND_BITS
_BAND = (1 << _BAND_BITS) - 1


class HammingIndex:
    """Hashes that were filed, each once.

    Args:
        max_distance_bits: of two that are near, 0 to 64.
    """

    def __init__(self, max_distance_bits: int) -> None:
        self._most = max_distance_bits
        self._in_band = max_distance_bits // _BANDS
        self._lookups = _BANDS * sum(comb(_BAND_BITS, bits) for bits in range(self._in_band + 1))
        self._held: set[int] = set()
        self._filed: tuple[dict[int, list[int]], ...] = tuple(defaultdict(list) for _ in range(_BANDS))

    def __len__(self) -> int:
        return len(self._held)

    def add(self, bits: int) -> None:
        """File a hash; one that is there already changes nothing."""
        if bits in self._held:
            return
        self._held.add(bits)
        for filed, band in zip(self._filed, _bands(bits), strict=True):
            filed[band].append(bits)

    def near(self, bits: int) -> list[int]:
        """The hashes that differ in few enough bits, itself among them where it is filed; in no order."""
        others = self._held if self._lookups >= len(self._held) else set(self._likely(bits))
        return [other for other in others if (other ^ bits).bit_count() <= self._most]

    def _likely(self, bits: int) -> Iterator[int]:
        changes = _changes(self._in_band)
        for filed, band in zip(self._filed, _bands(bits), strict=True):
            for change in changes:
                yield from filed.get(band ^ change, ())


def _bands(bits: int) -> Iterator[int]:
    return (bits >> (_BAND_BITS * band) & _BAND for band in range(_BANDS))


@cache
def _changes(most: int) -> tuple[int, ...]:
    """Every way in which up to so many bits of a band change."""
    ways = (one for bits in range(most + 1) for one in combinations(range(_BAND_BITS), bits))
    return tuple(sum(1 << bit for bit in way) for way in ways)
