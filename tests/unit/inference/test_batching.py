from hypothesis import given
from hypothesis import strategies as st

from blip_core.inference.batching import length_batches


@given(st.lists(st.integers(1, 50)), st.integers(1, 7))
def test_every_row_is_in_one_batch_and_batches_are_full(lengths: list[int], batch_size: int) -> None:
    batches = length_batches(lengths, batch_size)

    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_rows_of_like_length_go_together_longest_first() -> None:
    assert length_batches([1, 9, 2, 8], 2) == [[1, 3], [2, 0]]
