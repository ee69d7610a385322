import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blip_core.errors import StageFailure
from blip_core.inference.batching import MIN_LENGTH_SHARE, length_batches, windows, work_in_batches
from blip_core.inference.counting import InferenceCounts

LENGTHS = st.lists(st.integers(1, 50))


@given(LENGTHS, st.integers(1, 7))
def test_every_row_is_in_one_batch_of_rows_of_like_length(lengths: list[int], batch_size: int) -> None:
    batches = length_batches(lengths, batch_size)

    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert lengths[batch[-1]] >= MIN_LENGTH_SHARE * lengths[batch[0]]


def test_rows_of_like_length_go_together_longest_first() -> None:
    assert length_batches([7, 9, 8, 8, 3], 2) == [[1, 2], [3, 0], [4]]


@given(st.lists(st.integers()), st.integers(1, 5))
def test_windows_hold_every_item_once_in_order(items: list[int], size: int) -> None:
    parts = list(windows(iter(items), size))

    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])


@given(st.lists(st.integers(1, 9), max_size=6), st.integers(1, 5))
def test_where_memory_holds_so_many_rows_none_is_lost_or_repeated(sizes: list[int], room: int) -> None:
    rows = iter(range(sum(sizes)))
    batches = [[next(rows) for _ in range(size)] for size in sizes]
    done: list[int] = []
    counts = InferenceCounts()

    def work(batch: object) -> None:
        counts.prefills += 1
        if len(batch) > room:  # type: ignore[arg-type]
            raise torch.OutOfMemoryError("there is none left")
        done.extend(batch)  # type: ignore[arg-type]

    work_in_batches(batches, work, counts)

    assert done == list(range(sum(sizes)))
    assert bool(counts.halvings) == (max(sizes, default=0) > room)


def test_what_a_failed_attempt_counted_does_not_count() -> None:
    counts = InferenceCounts()

    def work(batch: object) -> None:
        counts.prompts += len(batch)  # type: ignore[arg-type]
        if len(batch) > 2:  # type: ignore[arg-type]
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    work_in_batches([[1, 2, 3, 4]], work, counts)

    assert (counts.prompts, counts.halvings) == (4, 1)


def test_one_row_too_many_for_memory_is_a_failure_that_says_what_to_do() -> None:
    def work(batch: object) -> None:
        raise torch.OutOfMemoryError("there is none left")

    with pytest.raises(StageFailure, match="nf4"):
        work_in_batches([[1, 2]], work, InferenceCounts())


def test_other_errors_pass() -> None:
    def work(batch: object) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        work_in_batches([[1]], work, InferenceCounts())
