"""How many rows of one value may stay, so that none has more than its share, and which ones."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil


class Capped:
    """Rows by a value that they have, and which of them are kept.

    Which rows go is drawn by a hash of their ids, so that their order does not matter. Where no number of
    rows can meet the share, because too few values occur, it is met up to one row, so that few rows are not
    refused altogether.

    Attributes:
        by_value: ids of all rows, by their value.
        most: rows of one value that are kept.
        rows: how many there are.
        kept: ids of those that stay.
    """

    def __init__(self, rows: Iterable[tuple[str, str]], max_share: float) -> None:
        by_value: dict[str, list[str]] = defaultdict(list)
        for value, name in rows:
            by_value[value].append(name)
        self.by_value: Mapping[str, Sequence[str]] = by_value
        self.most = most_of_one(Counter({value: len(ids) for value, ids in by_value.items()}), max_share)
        self.rows = sum(map(len, by_value.values()))
        self.kept = {name for ids in by_value.values() for name in _drawn(ids, self.most)}


def most_of_one(counts: Counter[str], max_share: float) -> int:
    """The largest number of rows a value may have such that none has more than its share of what is left."""
    nearly = 0
    for most, left in _caps(counts):
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


def _drawn(ids: Sequence[str], most: int) -> Sequence[str]:
    return ids if len(ids) <= most else sorted(ids, key=_draw)[:most]


def _draw(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
