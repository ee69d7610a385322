"""Rows of a dataset, made batched as our stages do, and one by one as the sources do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """The same rows, made in two ways under the same seeds.

    Attributes:
        rows: how many.
        batched: makes all, in batches.
        one_by_one: makes all, each alone.
        are_equal: whether two such results say the same.
        method: what is made with what, in words.
    """

    rows: int
    batched: Callable[[], Sequence[object]]
    one_by_one: Callable[[], Sequence[object]]
    are_equal: Callable[[Sequence[object], Sequence[object]], bool]
    method: str
