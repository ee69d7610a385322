"""Gate: pictures that look alike stay on one side of a split, and do not ask the same thing twice.

Looking alike is a small Hamming distance between 64-bit perceptual hashes (imagehash's pHash: the signs of
the low frequencies of a cosine transform). Rows are taken in the order given, oldest first; what a row is
tied to depends on older rows alone, so that growth never changes it.
"""

from collections.abc import Sequence

import imagehash
import numpy as np
from numpy.typing import NDArray

from blip_core.curation.gate import Gate, Near, refuse
from blip_core.errors import TableError
from blip_core.images import decode_picture
from blip_core.recipes.curation import NearDuplicates
from blip_core.records import Example, Rejection
from blip_core.texts import exact


def tie_near_duplicates(
    rows: Sequence[Example], settings: NearDuplicates
) -> tuple[list[Example], list[Rejection], Near]:
    """Tie rows whose pictures look alike, and refuse those that also ask and answer the same.

    Reasons: `near-duplicate`, `unreadable-picture`.

    Returns:
        Kept rows; rejections; and what each tied row is tied to: a row with one founder goes where that
        group goes, a row with several would bridge their splits if these differ.
    """
    seen = _Seen(settings.max_distance_bits, len(rows))
    kept: list[Example] = []
    refused: list[Rejection] = []
    near: dict[str, tuple[str, ...]] = {}
    for row in rows:
        try:
            bits = perceptual_hash(row)
        except TableError as error:
            refused.append(refuse(row, "unreadable-picture", str(error)))
            continue
        alike = seen.alike(bits)
        twin = next((old for old in alike if says(old) == says(row)), None)
        if twin is not None:
            refused.append(refuse(row, "near-duplicate", f"looks like {twin.id} and asks the same"))
            continue
        founders = seen.add(row, bits, alike)
        if founders != (row.group,):
            near[row.id] = founders
        kept.append(row)
    return kept, refused, near


def perceptual_hash(row: Example) -> np.uint64:
    """64-bit pHash of an example's picture.

    Raises:
        TableError: The picture cannot be decoded.
    """
    bits = imagehash.phash(decode_picture(row.image, row.id)).hash
    return np.uint64(np.packbits(bits.ravel()).view(np.uint64)[0])


def says(row: Example) -> tuple[str, str, str]:
    """What a row asks and answers."""
    return exact(row.question), exact(row.context), exact(row.target)


class Hashes:
    """Perceptual hashes in the order in which they came, and which of them are near to another.

    Args:
        max_distance_bits: of two that are alike.
        capacity: how many there may be.
    """

    def __init__(self, max_distance_bits: int, capacity: int) -> None:
        self._max_distance_bits = max_distance_bits
        self._held: NDArray[np.uint64] = np.zeros(capacity, dtype=np.uint64)
        self._count = 0

    def add(self, bits: np.uint64) -> None:
        """Keep one more."""
        self._held[self._count] = bits
        self._count += 1

    def near(self, bits: np.uint64) -> list[int]:
        """Places of those that are near to one, oldest first."""
        distances = np.bitwise_count(self._held[: self._count] ^ bits)
        return [int(place) for place in np.flatnonzero(distances <= self._max_distance_bits)]


class LooksAlike:
    """Takes pictures for alike as the gate does; each is decoded once.

    Args:
        settings: of the gate.
        capacity: rows there may be.
    """

    def __init__(self, settings: NearDuplicates, capacity: int) -> None:
        self._hashes = Hashes(settings.max_distance_bits, capacity)
        self._bits: dict[bytes, np.uint64] = {}

    def add(self, row: Example) -> None:
        """Remember the picture of a row."""
        self._hashes.add(self._of(row))

    def like(self, row: Example) -> list[int]:
        """Places of the remembered pictures that look like a row's, oldest first."""
        return self._hashes.near(self._of(row))

    def _of(self, row: Example) -> np.uint64:
        if row.image not in self._bits:
            self._bits[row.image] = perceptual_hash(row)
        return self._bits[row.image]


class _Seen:
    """The rows kept so far with their hashes, and the founder of each group's cluster."""

    def __init__(self, max_distance_bits: int, capacity: int) -> None:
        self._hashes = Hashes(max_distance_bits, capacity)
        self._rows: list[Example] = []
        self._founders: dict[str, str] = {}  # group -> the group that founded its cluster
        self._row_founder: dict[str, str] = {}

    def alike(self, bits: np.uint64) -> list[Example]:
        """Older rows whose pictures look like this one, oldest first."""
        return [self._rows[place] for place in self._hashes.near(bits)]

    def add(self, row: Example, bits: np.uint64, alike: Sequence[Example]) -> tuple[str, ...]:
        """Keep a row; gives the founders it is tied to: its group's first, then those of rows like it."""
        found = dict.fromkeys(self._row_founder[old.id] for old in alike)
        group_founder = self._founders.setdefault(row.group, next(iter(found), row.group))
        self._hashes.add(bits)
        self._rows.append(row)
        self._row_founder[row.id] = group_founder
        return tuple(dict.fromkeys((group_founder, *found)))


GATE = Gate(
    "near_duplicates", "the same question about pictures that look alike", NearDuplicates, tie_near_duplicates
)
