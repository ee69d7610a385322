import errno
import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blip_core.backends.memory import Batches, is_out_of_memory
from blip_core.errors import NotANumber, StageFailure

TOO_LARGE = 2**60  # bytes that no machine has


def fail(kind):
    """Run out of memory: for real where a CPU can, else in the words of a GPU's libraries."""
    if kind == "torch on a CPU":
        torch.empty(TOO_LARGE, dtype=torch.uint8)
    if kind == "NumPy":
        np.empty(TOO_LARGE, dtype=np.uint8)
    if kind == "Python":
        bytearray(TOO_LARGE)
    if kind == "a mapped file":
        raise OSError(errno.ENOMEM, "Cannot allocate memory")
    if kind == "CUDA":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    raise RuntimeError(kind)


KINDS = [
    "torch on a CPU",
    "NumPy",
    "Python",
    "a mapped file",
    "CUDA",
    "CUDA error: out of memory",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
]


@pytest.mark.parametrize("kind", KINDS)
def test_memory_that_runs_out_is_told_from_other_errors(kind):
    with pytest.raises((RuntimeError, MemoryError, OSError)) as error:
        fail(kind)
    assert is_out_of_memory(error.value)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes differ"), OSError(errno.ENOSPC, "No space left"), ValueError("out of memory")],
)
def test_other_errors_pass(error):
    def work(rows):
        raise error

    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as passed:
        Batches("rows", "").work(work, [1, 2])
    assert passed.value is error


@given(st.lists(st.lists(st.integers(), max_size=9), max_size=4), st.integers(1, 9))
def test_every_row_is_answered_once_in_order_however_few_fit(batches, room):
    made = Batches("rows", "")

    def work(rows):
        if len(rows) > room:
            raise MemoryError
        return [row + 1 for row in rows]

    for batch in batches:
        assert made.work(work, batch) == [row + 1 for row in batch]


def test_what_was_too_much_once_is_not_tried_again(caplog):
    tried = []

    def work(rows):
        tried.append(len(rows))
        if len(rows) > 2:
            raise MemoryError
        return rows

    made = Batches("pictures", "")
    with caplog.at_level(logging.WARNING):
        made.work(work, [1, 2, 3, 4, 5, 6])
        made.work(work, [1, 2, 3])
    assert tried == [6, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert caplog.messages == [
        "memory ran out on 6 pictures; going on with 3 at a time",
        "memory ran out on 3 pictures; going on with 1 at a time",
    ]


def test_no_more_are_worked_at_once_than_may_be():
    tried = []

    def work(rows):
        tried.append(len(rows))
        return [row + 1 for row in rows]

    assert Batches("rows", "", at_once=3).work(work, range(7)) == [*range(1, 8)]
    assert tried == [3, 3, 1]


def test_a_single_row_too_many_is_a_failure_that_says_what_to_do():
    def work(rows):
        raise MemoryError

    with pytest.raises(StageFailure, match="pictures one at a time, so that a smaller batch_size is of no"):
        Batches("pictures", "lower pictures.width_px").work(work, [1, 2, 3])


def test_a_row_that_is_no_number_keeps_its_place_among_all():
    def work(rows):
        if len(rows) > 2:
            raise MemoryError
        if 40 in rows:
            raise NotANumber("no number", place=rows.index(40))
        return rows

    with pytest.raises(NotANumber) as refused:
        Batches("rows", "").work(work, [10, 20, 30, 40])
    assert refused.value.place == 3


def test_columns_of_different_lengths_are_refused_and_none_give_none():
    made = Batches("rows", "")
    with pytest.raises(ValueError, match="shorter"):
        made.work(lambda one, other: one, [1, 2], [1])
    assert made.work(lambda one, other: one, [], []) == []
