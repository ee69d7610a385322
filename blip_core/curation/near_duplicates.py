"""Gate: pictures that look alike stay on one side of a split, and do not ask the same thing twice.

Looking alike is a small Hamming distance between perceptual hashes, see `looks`. Rows are taken in the order
given, oldest first; what a row is tied to depends on older rows alone, so that growth never changes it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from blip_core.curation.gate import Gate, Near, refuse
from blip_core.curation.hamming import HammingIndex
from blip_core.curation.looks import look_of
from blip_core.errors import TableError
from blip_core.recipes.curation import NearDuplicates
from blip_core.records import Example, Rejection
from blip_core.texts import exact

Said = tuple[str, str, str]
"""What a row asks and answers."""


def tie_near_duplicates(
    rows: Sequence[Example], settings: NearDuplicates
) -> tuple[list[Example], list[Rejection], Near]:
    """Tie rows whose pictures look alike, and refuse those that also ask and answer the same.

    Reasons: `near-duplicate`, `unreadable-picture`.

    Returns:
        Kept rows; rejections; and what each tied row is tied to: a row with one founder goes where that
        group goes, a row with several would bridge their splits if these differ.
    """
    seen = _Seen(settings.max_distance_bits)
    kept: list[Example] = []
    refused: list[Rejection] = []
    near: dict[str, tuple[str, ...]] = {}
    for row in rows:
        try:
            bits = look_of(row).bits
        except TableError as error:
            refused.append(refuse(row, "unreadable-picture", str(error)))
            continue
        alike = seen.alike(bits)
        twin = _twin(alike, says(row))
        if twin is not None:
            refused.append(refuse(row, "near-duplicate", f"looks like {twin} and asks the same"))
            continue
        founders = seen.add(row, bits, alike)
        if founders != (row.group,):
            near[row.id] = founders
        kept.append(row)
    return kept, refused, near


def says(row: Example) -> Said:
    """What a row asks and answers."""
    return exact(row.question), exact(row.context), exact(row.target)


class Hashes:
    """Perceptual hashes in the order in which they came, and which of them are near to another.

    Args:
        max_distance_bits: of two that are alike.
    """

    def __init__(self, max_distance_bits: int) -> None:
        self._index = HammingIndex(max_distance_bits)
        self._places: dict[int, list[int]] = defaultdict(list)
        self._count = 0

    def add(self, bits: int) -> None:
        """Keep one more."""
        self._index.add(bits)
        self._places[bits].append(self._count)
        self._count += 1

    def near(self, bits: int) -> list[int]:
        """Places of those that are near to one, oldest first."""
        return sorted(place for other in self._index.near(bits) for place in self._places[other])


class LooksAlike:
    """Takes pictures for alike as the gate does.

    Args:
        settings: of the gate.
    """

    def __init__(self, settings: NearDuplicates) -> None:
        self._hashes = Hashes(settings.max_distance_bits)

    def add(self, row: Example) -> None:
        """Remember the picture of a row."""
        self._hashes.add(look_of(row).bits)

    def like(self, row: Example) -> list[int]:
        """Places of the remembered pictures that look like a row's, oldest first."""
        return self._hashes.near(look_of(row).bits)


class _Alike:
    """What the older rows of one hash said and belong to; each only once, with the place of the first."""

    def __init__(self) -> None:
        self.said: dict[Said, tuple[int, str]] = {}  # -> place and id
        self.founders: dict[str, int] = {}  # group that founded a cluster -> place


class _Seen:
    """The rows kept so far by their hashes, and the founder of each group's cluster."""

    def __init__(self, max_distance_bits: int) -> None:
        self._index = HammingIndex(max_distance_bits)
        self._by_bits: dict[int, _Alike] = defaultdict(_Alike)
        self._founders: dict[str, str] = {}  # group -> the group that founded its cluster
        self._count = 0

    def alike(self, bits: int) -> list[_Alike]:
        """What older rows whose pictures look like this one said and belong to."""
        return [self._by_bits[other] for other in self._index.near(bits)]

    def add(self, row: Example, bits: int, alike: Sequence[_Alike]) -> tuple[str, ...]:
        """Keep a row; gives the founders it is tied to: its group's first, then those of rows like it."""
        found = _oldest_first((place, name) for one in alike for name, place in one.founders.items())
        founder = self._founders.setdefault(row.group, found[0] if found else row.group)
        self._index.add(bits)
        own = self._by_bits[bits]
        own.said.setdefault(says(row), (self._count, row.id))
        own.founders.setdefault(founder, self._count)
        self._count += 1
        return tuple(dict.fromkeys((founder, *found)))


def _twin(alike: Sequence[_Alike], said: Said) -> str | None:
    """Id of the oldest row that says the same; None where none does."""
    found = _oldest_first(one.said[said] for one in alike if said in one.said)
    return found[0] if found else None


def _oldest_first(placed: Iterable[tuple[int, str]]) -> list[str]:
    return list(dict.fromkeys(name for _, name in sorted(placed)))


GATE = Gate(
    "near_duplicates", "the same question about pictures that look alike", NearDuplicates, tie_near_duplicates
)
