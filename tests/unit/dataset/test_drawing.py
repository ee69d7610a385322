"""Rows drawn by a hash of their ids: so many, always the same ones, in whatever order they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.dataset.drawing import cut_training, drawn
from blip_core.dataset.splits import assign_splits
from tests.unit.examples import example

ROWS = [example(number) for number in range(40)]
SPLITS = assign_splits(ROWS, 0.2, 0.2, {})
TRAINING = {name for name, split in SPLITS.items() if split == "train"}

counts, seeds = st.integers(1, 50), st.integers(0, 2**32 - 1)


@given(rows=st.permutations(ROWS), count=counts, seed=seeds)
def test_the_order_of_rows_decides_nothing(rows, count, seed):
    assert drawn(rows, count, seed) == drawn(ROWS, count, seed)
    left, cut = cut_training(rows, SPLITS, count, seed)
    assert left == [row for row in rows if row in cut_training(ROWS, SPLITS, count, seed)[0]]
    assert len(left) + len(cut) == len(rows)


@given(counts, counts, seeds)
def test_fewer_rows_are_the_first_of_more(one, other, seed):
    few, many = sorted((one, other))
    assert drawn(ROWS, many, seed)[:few] == drawn(ROWS, few, seed)


@given(counts, seeds)
def test_training_rows_alone_are_cut_to_the_number_asked_for(count, seed):
    left, cut = cut_training(ROWS, SPLITS, count, seed)
    kept = {row.id for row in left}
    assert len(kept & TRAINING) == min(count, len(TRAINING))
    assert SPLITS.keys() - TRAINING <= kept
    assert {one.id for one in cut} == SPLITS.keys() - kept
    assert {(one.stage, one.reason) for one in cut} <= {("dataset", "surplus")}


@pytest.mark.parametrize("seed", [1, 7, 20_270_131])
def test_another_seed_leaves_other_rows(seed):
    assert drawn(ROWS, 20, seed) != drawn(ROWS, 20, 0)
