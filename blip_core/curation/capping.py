"""How many rows of one value may stay, so that none has more than its share, and which ones."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil

NOTHING: Mapping[str, int] = {}


class Capped:
    """Rows by a value that they have, and which of them are kept.

    Which rows go is drawn by a hash of their ids, so that their order does not matter. Where no number of
    rows can meet the share, because too few values occur, it is met up to one row, so that few rows are not
    refused altogether.

    Args:
        rows: value and id of each.
        max_share: of one value, 0 to 1.
        before: rows by value that are kept whatever comes, and count as well.

    Attributes:
        by_value: ids of the rows, by their value.
        most: rows of one value that are kept, those from before among them.
        rows: how many there are, those from before among them.
        kept: ids of those that stay.
    """

    def __init__(
        self, rows: Iterable[tuple[str, str]], max_share: float, before: Mapping[str, int] = NOTHING
    ) -> None:
        by_value: dict[str, list[str]] = defaultdict(list)
        for value, name in rows:
            by_value[value].append(name)
        self.by_value: Mapping[str, Sequence[str]] = by_value
        counts = Counter({value: len(ids) for value, ids in by_value.items()})
        self.most = most_of_one(counts, max_share, before)
        self.rows = counts.total() + sum(before.values())
        self.kept = {
            name
            for value, ids in by_value.items()
            for name in _drawn(ids, max(0, self.most - before.get(value, 0)))
        }


def most_of_one(counts: Counter[str], max_share: float, before: Mapping[str, int] = NOTHING) -> int:
    """The largest number of rows a value may have such that none has more than its share of what is left.

    Args:
        counts: rows by value.
        max_share: of one value, 0 to 1.
        before: rows by value that are left in any case.
    """
    nearly = 0
    for most, left in _caps_after(counts, before) if before else _caps(counts):
        if most <= max_share * left:
            return most
        if not nearly and most <= ceil(max_share * left):
            nearly = most
    return nearly


def _caps(counts: Counter[str]) -> Iterator[tuple[int, int]]:
    """Each cap from the largest count down to one, with the rows that it leaves."""
    reaching = Counter(counts.values())
    left, above = counts.total(), 0
    for most in range(max(reaching, default=0), 0, -1):
        yield most, left
        above += reaching[most]
        left -= above


def _caps_after(counts: Counter[str], before: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """The same where rows are there already: down to the cap that no further row fits below."""
    most = max((count + before.get(value, 0) for value, count in counts.items()), default=0)
    least = min((before.get(value, 0) for value in counts), default=0)
    settled = sum(before.values())
    for cap in range(most, least, -1):
        fits = (min(count, max(0, cap - before.get(value, 0))) for value, count in counts.items())
        yield cap, settled + sum(fits)


def _drawn(ids: Sequence[str], most: int) -> Sequence[str]:
    return ids if len(ids) <= most else sorted(ids, key=_draw)[:most]


def _draw(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
