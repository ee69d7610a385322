"""Batches of rows of like length, so that little is computed on pads."""

from collections.abc import Callable, Sequence

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


def length_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices of rows, longest first, in batches; equal lengths keep their order."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


class Counter:
    """Counts rows that are done over several passes."""

    def __init__(self, total: int, on_progress: Progress) -> None:
        self._done = 0
        self._total = total
        self._on_progress = on_progress

    def add(self, rows: int) -> None:
        self._done += rows
        self._on_progress(self._done, self._total)
