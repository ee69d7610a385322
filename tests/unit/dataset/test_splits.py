from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.dataset import assign_splits, split_of
from tests.unit.examples import example

SHARES = st.tuples(st.floats(0.05, 0.4), st.floats(0.0, 0.4))


@given(st.integers(0, 60), st.integers(0, 60), SHARES)
def test_growth_moves_no_row(before: int, more: int, shares: tuple[float, float]):
    small = [example(number) for number in range(before)]
    large = [example(number) for number in range(before + more)]

    first, second = assign_splits(small, *shares, {}), assign_splits(large, *shares, {})

    assert {name: second[name] for name in first} == first


def test_rows_of_a_group_stay_together():
    rows = [example(7, id=f"nature-00007-p0-q{n}") for n in range(5)]

    assert len(set(assign_splits(rows, 0.3, 0.3, {}).values())) == 1


def test_shares_hold_over_many_groups():
    counts = Counter(split_of(f"nature-{number}", 0.1, 0.2) for number in range(5000))

    assert counts["validation"] / 5000 == pytest.approx(0.1, abs=0.02)
    assert counts["test"] / 5000 == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_every_group_outside_validation_is_held_out_by_one_fold(folds):
    for number in range(300):
        splits = Counter(split_of(f"dish-{number}", 0.1, 0.0, (place, folds)) for place in range(folds))
        assert splits in ({"validation": folds}, {"test": 1, "train": folds - 1})


def test_folds_are_of_like_size_and_leave_validation_its_share():
    counts = Counter(split_of(f"dish-{number}", 0.1, 0.3, (0, 2)) for number in range(5000))

    assert counts["validation"] / 5000 == pytest.approx(0.1, abs=0.02)
    assert counts["test"] / 5000 == pytest.approx(0.45, abs=0.03)


def groups_by_split(split: str) -> list[str]:
    return [name for name in (f"nature-{n:05d}" for n in range(200)) if split_of(name, 0.2, 0.2) == split]


def test_a_near_duplicate_follows_the_split_of_its_neighbour():
    row = example(0)
    held_out = groups_by_split("test")[0]

    assert assign_splits([row], 0.2, 0.2, {row.id: (held_out,)}) == {row.id: "test"}


def test_a_row_that_would_bridge_two_splits_is_left_out():
    row = example(0)
    founders = (groups_by_split("train")[0], groups_by_split("test")[0])

    assert assign_splits([row], 0.2, 0.2, {row.id: founders}) == {}


def test_two_neighbours_of_one_split_are_no_bridge():
    row = example(0)
    founders = tuple(groups_by_split("train")[:2])

    assert assign_splits([row], 0.2, 0.2, {row.id: founders}) == {row.id: "train"}
