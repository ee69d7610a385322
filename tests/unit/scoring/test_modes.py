from dataclasses import replace

import pytest

from blip_core.errors import TableError
from blip_core.scoring import by_mode, compare_modes


def shown(rows, mode):
    return [replace(row, mode=mode) for row in rows]


@pytest.fixture
def full(answered):
    return answered("finetuned", [True] * 30 + [False] * 10)


@pytest.fixture
def ablations(answered):
    blind = shown(answered("finetuned", [True] * 10 + [False] * 30), "blind")
    return blind + shown(answered("finetuned", [True] * 25 + [False] * 15), "one-stage")


def test_modes_are_scored_apart(ablations):
    assert {mode: score.value for mode, score in by_mode(ablations).items()} == {
        "blind": 0.25,
        "one-stage": 0.625,
    }


def test_each_mode_tells_what_is_lost_when_less_is_shown(full, ablations):
    found = compare_modes(full, ablations)
    assert [(one.a, one.b, one.difference) for one in found] == [
        ("both", "blind", -0.5),
        ("both", "one-stage", -0.125),
    ]
    assert all(one.high < 0 for one in found)


def test_a_mode_that_was_asked_other_questions_is_refused(full, ablations):
    with pytest.raises(TableError, match="did not answer the same questions"):
        compare_modes(full, ablations[1:])
