"""Batches of rows of like length, so that little is computed on pads, and what to do when memory runs out."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from blip_core.backends.memory import empty_cache, is_out_of_memory
from blip_core.errors import StageFailure
from blip_core.inference.counting import InferenceCounts

Progress = Callable[[int, int], None]
Item = TypeVar("Item")

# A batch ends where a row would be more than an eighth pads; over a batch that makes 6 % on the average.
MIN_LENGTH_SHARE = 0.875

_log = logging.getLogger(__name__)


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Runs of consecutive items, each of a size but the last."""
    waiting = iter(items)
    while window := list(islice(waiting, size)):
        yield window


def length_batches(
    lengths: Sequence[int], batch_size: int, min_share: float = MIN_LENGTH_SHARE
) -> list[list[int]]:
    """Indices of rows, longest first, in batches of like length; equal lengths keep their order.

    The longest rows come first: where memory does not suffice, that shows at once.

    Args:
        lengths: of the rows, in tokens.
        batch_size: most rows in a batch.
        min_share: length of a batch's shortest row, as a share of the longest's.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    for index in order:
        if not batches or not _fits(lengths, batches[-1], index, batch_size, min_share):
            batches.append([])
        batches[-1].append(index)
    return batches


def _fits(
    lengths: Sequence[int], batch: Sequence[int], index: int, batch_size: int, min_share: float
) -> bool:
    return len(batch) < batch_size and lengths[index] >= min_share * lengths[batch[0]]


def work_in_batches(
    batches: Iterable[Sequence[Item]], work: Callable[[Sequence[Item]], None], counts: InferenceCounts
) -> None:
    """Work batch by batch; one that memory does not suffice for is halved, and all later ones with it.

    Args:
        batches: items that are worked together.
        work: works a batch, all of it or none of it.
        counts: told of every halving.

    Raises:
        StageFailure: Memory does not suffice for a single item.
    """
    limit: int | None = None
    for batch in batches:
        done = 0
        while done < len(batch):
            part = batch[done : done + (limit or len(batch))]
            before = replace(counts)
            if _try(work, part):
                done += len(part)
                continue
            counts.clear()
            counts.include(before)
            if len(part) == 1:
                raise StageFailure(
                    "memory ran out on a single row; set inference.quantisation to nf4, shorten the "
                    "prompts, lower inference.max_new_tokens, or take a larger machine"
                )
            limit = len(part) // 2
            counts.halvings += 1
            _log.warning("memory ran out on %d rows; going on with %d at a time", len(part), limit)


def _try(work: Callable[[Sequence[Item]], None], part: Sequence[Item]) -> bool:
    """Whether memory sufficed; what a failed attempt held is free again."""
    try:
        work(part)
    except (RuntimeError, MemoryError, OSError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    # Outside the handler: the error's frames hold the tensors of the attempt.
    empty_cache()
    return False


class Counter:
    """Counts rows that are done over several passes."""

    def __init__(self, total: int, on_progress: Progress) -> None:
        self._done = 0
        self._total = total
        self._on_progress = on_progress

    def add(self, rows: int) -> None:
        self._done += rows
        self._on_progress(self._done, self._total)
