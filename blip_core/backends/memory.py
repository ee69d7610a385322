"""What models that make rows do with memory: give it back, and work fewer rows at once where it runs out.

One model is resident at a time: closed backends refuse work and give their memory back.
"""

import errno
import gc
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from blip_core.errors import NotANumber, StageFailure

Answer = TypeVar("Answer")

# How torch (of CPUs on Linux and Windows, of GPUs) and its libraries say it where the error's type does not.
_SAID = re.compile(
    r"can't allocate memory|not enough memory|out of memory|(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED", re.I
)

_log = logging.getLogger(__name__)


def still_open(model: Any, owner: object) -> Any:
    """Return a backend's model.

    Raises:
        StageFailure: when the backend was closed.
    """
    if model is None:
        raise StageFailure(f"{type(owner).__name__} was closed and takes no more work.")
    return model


def release_memory() -> None:
    """Give back what models left behind, on the GPU too."""
    gc.collect()
    empty_cache()


def empty_cache() -> None:
    """Give back what torch keeps of a GPU for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of a GPU or of this machine, ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))


class Batches:
    """Hands rows to a model, so many at once, and in halves where memory does not suffice for these.

    What was too much once is not tried again: later batches are worked in parts of the size that sufficed.
    A row keeps its seed in whatever part it is worked; a part of another size may differ in its last bits, as
    a batch of another size does.

    Args:
        rows: what they are, for people, as `pictures`.
        remedy: what to do where memory does not suffice for a single one.
        at_once: rows of a part at the most; none, all that are given.
    """

    def __init__(self, rows: str, remedy: str, at_once: int | None = None) -> None:
        self._rows = rows
        self._remedy = remedy
        self._limit = at_once

    def work(self, work: Callable[..., Sequence[Answer]], *columns: Sequence[Any]) -> list[Answer]:
        """Work rows that stand in columns of equal length; one answer a row, in order.

        Args:
            work: answers some rows, given their columns, and changes nothing where it fails.
            columns: of all rows.

        Raises:
            StageFailure: Memory does not suffice for a single row.
            NotANumber: As `work` raised it, with the row's place among all.
        """
        count = len(list(zip(*columns, strict=True)))
        answers: list[Answer] = []
        done = 0
        while done < count:
            size = min(self._limit or count, count - done)
            part = _attempt(work, [column[done : done + size] for column in columns], done)
            if part is None:
                empty_cache()
                self._halve(size)
                continue
            answers += part
            done += size
        return answers

    def _halve(self, size: int) -> None:
        if size == 1:
            raise StageFailure(
                f"memory ran out on {self._rows} one at a time, so that a smaller batch_size is of no help: "
                f"{self._remedy}"
            )
        self._limit = size // 2
        _log.warning("memory ran out on %d %s; going on with %d at a time", size, self._rows, self._limit)


def _attempt(
    work: Callable[..., Sequence[Answer]], columns: Sequence[Sequence[Any]], before: int
) -> Sequence[Answer] | None:
    """Answers to some rows with so many before them, or None where memory does not suffice for these."""
    try:
        return work(*columns)
    except NotANumber as error:
        if error.place is not None:
            error.place += before
        raise
    except (RuntimeError, MemoryError, OSError) as error:
        if not is_out_of_memory(error):
            raise
    return None  # outside the handler: the error's frames hold the tensors of the attempt
