"""Draws rows by a hash of their ids: which come hangs neither on their order nor on how many are drawn."""

import hashlib
from collections.abc import Iterable, Mapping

from blip_core.records import Example, Rejection, Split

STAGE = "dataset"
SURPLUS = "surplus"


def drawn(rows: Iterable[Example], count: int, seed: int) -> list[Example]:
    """So many rows, or all where there are fewer; fewer are always the first of more."""
    return sorted(rows, key=lambda row: _draw(row.id, seed))[:count]


def cut_training(
    rows: Iterable[Example], splits: Mapping[str, Split], count: int, seed: int
) -> tuple[list[Example], list[Rejection]]:
    """Leave at most so many training rows, and all others.

    Args:
        rows: in any order; what is left is in the same.
        splits: row id -> split.
        count: training rows to leave.
        seed: of the draw.
    """
    rows = list(rows)
    training = [row for row in rows if splits.get(row.id) == "train"]
    told = f"drawn beyond the {count} training rows of dataset.train_rows"
    surplus = {row.id for row in drawn(training, len(training), seed)[count:]}
    cut = [Rejection(row.id, STAGE, SURPLUS, told) for row in rows if row.id in surplus]
    return [row for row in rows if row.id not in surplus], cut


def _draw(row_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {row_id}".encode()).digest()
