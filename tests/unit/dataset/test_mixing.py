"""Mixing sets: shares as the weights say, nothing twice, nothing in two splits."""

from dataclasses import replace
from fractions import Fraction
from itertools import count
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.curation.near_duplicates import LooksAlike
from blip_core.dataset.mixing import mix, shares
from blip_core.errors import EmptyDataset
from blip_core.recipes.curation import NearDuplicates
from blip_core.records import SPLITS
from tests.unit.examples import example, png

NAMES = ("alpha", "beta", "gamma")

weights_of = st.floats(min_value=0.001, max_value=1000).map(lambda weight: round(weight, 3))


def rows(name: str, count: int, split: str = "train"):
    names = [f"{name}-{split}-{number}" for number in range(count)]
    return [example(0, id=one, picture_id=f"{one}-p", image=one.encode()) for one in names]


def one_set(name: str, train: int, validation: int = 2, test: int = 2):
    counts = {"train": train, "validation": validation, "test": test}
    return {split: rows(name, counts[split], split) for split in SPLITS}


def ids(mixture, split: str):
    return {row.id for row in mixture.examples if mixture.splits[row.id] == split}


@given(st.dictionaries(st.sampled_from(NAMES), st.tuples(st.integers(1, 500), weights_of), min_size=1))
def test_shares_are_as_the_weights_say_and_as_many_as_the_scarcest_set_allows(sets):
    available = {name: count for name, (count, _) in sets.items()}
    weights = {name: weight for name, (_, weight) in sets.items()}
    drawn = shares(available, weights)
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    share = {name: weight / sum(exact.values()) for name, weight in exact.items()}
    total = sum(drawn.values())
    assert all(drawn[name] <= available[name] for name in drawn)
    assert all(abs(drawn[name] - share[name] * total) < 1 for name in drawn)
    assert any(share[name] * (total + 1) > available[name] for name in drawn)


@pytest.mark.parametrize(
    ("available", "weights", "drawn"),
    [
        ({"a": 100, "b": 100}, {"a": 1, "b": 1}, {"a": 100, "b": 100}),
        ({"a": 7, "b": 3}, {"a": 0.7, "b": 0.3}, {"a": 7, "b": 3}),
        ({"a": 10, "b": 100}, {"a": 1, "b": 3}, {"a": 10, "b": 30}),
        ({"a": 5, "b": 5, "c": 5}, {"a": 2, "b": 2, "c": 4}, {"a": 3, "b": 2, "c": 5}),
    ],
)
def test_shares_of_known_cases(available, weights, drawn):
    assert shares(available, weights) == drawn


@given(st.randoms(use_true_random=False))
def test_neither_the_order_of_sets_nor_that_of_rows_matters(random: Random):
    sets = {name: one_set(name, train) for name, train in zip(NAMES, (9, 6, 4), strict=True)}
    weights = {"alpha": 1.0, "beta": 2.0, "gamma": 1.0}
    shuffled = {
        name: {split: random.sample(found, len(found)) for split, found in sets[name].items()}
        for name in random.sample(NAMES, len(NAMES))
    }
    assert mix(shuffled, weights, seed=3) == mix(sets, weights, seed=3)


def test_another_seed_draws_other_rows():
    sets = {"alpha": one_set("alpha", 30), "beta": one_set("beta", 3)}
    weights = {"alpha": 1.0, "beta": 1.0}
    assert ids(mix(sets, weights, 0), "train") != ids(mix(sets, weights, 1), "train")


def test_no_row_changes_its_split():
    sets = {"alpha": one_set("alpha", 8, 3, 4), "beta": one_set("beta", 8, 2, 2)}
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0)
    for split in SPLITS:
        there = {row.id for one in sets.values() for row in one[split]}
        assert ids(mixture, split) <= there
    assert mixture.drawn["alpha"] == {"test": 2, "validation": 2, "train": 8}


def test_a_set_that_holds_nothing_out_leaves_the_others_theirs():
    sets = {"alpha": one_set("alpha", 4, 0, 0), "beta": one_set("beta", 4, 2, 3)}
    drawn = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0).drawn
    assert drawn["beta"] == {"test": 3, "validation": 2, "train": 4}


def test_a_row_of_two_sets_is_kept_once():
    both, only = one_set("alpha", 4), one_set("beta", 4)
    sets = {"alpha": both, "beta": {split: [*only[split], *both[split]] for split in SPLITS}}
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0)
    assert len({row.id for row in mixture.examples}) == len(mixture.examples)
    assert len(ids(mixture, "train")) == 8


def test_an_id_that_means_another_row_in_another_set_is_told_apart():
    sets = {"alpha": one_set("same", 3), "beta": one_set("same", 3)}
    for split in SPLITS:
        sets["beta"][split] = [replace(row, image=b"other " + row.image) for row in sets["beta"][split]]
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0)
    assert ids(mixture, "train") == {
        *(f"same-train-{number}" for number in range(3)),
        *(f"beta-same-train-{number}" for number in range(3)),
    }
    pictures = {}
    for row in mixture.examples:
        assert pictures.setdefault(row.picture_id, row.image) == row.image


def test_a_picture_that_is_held_out_in_one_set_is_learnt_in_none():
    sets = {"alpha": one_set("alpha", 5), "beta": one_set("beta", 5)}
    judged = sets["beta"]["test"][0].image
    sets["alpha"]["train"][0] = replace(sets["alpha"]["train"][0], image=judged)
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0)
    assert [one.id for one in mixture.rejections] == ["alpha-train-0"]
    assert mixture.rejections[0].reason == "bridges-splits"
    assert "alpha-train-0" not in mixture.splits


def test_a_set_without_a_row_to_learn_is_named():
    sets = {"alpha": one_set("alpha", 5), "beta": one_set("beta", 0)}
    with pytest.raises(EmptyDataset, match="the set beta has no row to learn"):
        mix(sets, {"alpha": 1.0, "beta": 1.0}, 0)


def look(number: int, *, shade: int = 0) -> bytes:
    """A picture of blocks; with another shade it looks the same and has other bytes."""
    blocks = np.random.default_rng(number).integers(0, 200, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
    return png((blocks + shade).astype(np.uint8))


def pictured(sets):
    """The sets with a picture of its own for every row."""
    numbers = count()
    return {
        name: {
            split: [replace(row, image=look(next(numbers)), question=f"What is {row.id}?") for row in found]
            for split, found in splits.items()
        }
        for name, splits in sets.items()
    }


@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_a_picture_that_looks_like_one_held_out_elsewhere_is_learnt_in_none(held_out):
    sets = pictured({"alpha": one_set("alpha", 4), "beta": one_set("beta", 4)})
    sets["beta"][held_out][0] = replace(sets["beta"][held_out][0], image=look(99))
    sets["alpha"]["train"][0] = replace(sets["alpha"]["train"][0], image=look(99, shade=3))
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0, LooksAlike(NearDuplicates()))
    (refused,) = mixture.rejections
    assert (refused.id, refused.reason) == ("alpha-train-0", "bridges-splits")
    assert f"a picture like its own is held out in the {held_out} split of beta" in refused.detail


def test_the_same_question_about_pictures_that_look_alike_is_kept_once():
    sets = pictured({"alpha": one_set("alpha", 4), "beta": one_set("beta", 4)})
    first, second = sets["alpha"]["train"][0], sets["beta"]["train"][0]
    sets["alpha"]["train"][0] = replace(first, image=look(99), question="What is it?", target="a dog")
    sets["beta"]["train"][0] = replace(
        second, image=look(99, shade=3), question="What is it?", target="a dog"
    )
    sets["beta"]["train"][1] = replace(sets["beta"]["train"][1], image=look(99, shade=2))
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0, LooksAlike(NearDuplicates()))
    assert [(one.id, one.reason) for one in mixture.rejections] == [("beta-train-0", "near-duplicate")]
    assert "beta-train-1" in {row.id for row in mixture.examples}


def test_pictures_that_look_otherwise_are_all_kept():
    sets = pictured({"alpha": one_set("alpha", 6), "beta": one_set("beta", 6)})
    mixture = mix(sets, {"alpha": 1.0, "beta": 1.0}, 0, LooksAlike(NearDuplicates()))
    assert not mixture.rejections
    assert len(ids(mixture, "train")) == 12
