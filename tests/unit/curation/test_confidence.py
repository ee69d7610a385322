"""The gate on a labeller's own confidence: as many hard rows as easy ones, and the same as more rows come."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from blip_core.curation.confidence import check_confidence
from blip_core.curation.strata import FIRST_GROUPS, kind_asked, things_shown
from blip_core.errors import StageFailure
from blip_core.recipes.curation import Confidence
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE, LABEL_SCORE
from tests.unit.examples import example

ONE, THREE = "a frog at noon", "a frog, two buses and a kite at noon"


def sure(number, description=-0.5, answer=-0.5, **changes):
    both = (description + answer) / 2
    scores = {DESCRIPTION_SCORE: description, ANSWER_SCORE: answer, LABEL_SCORE: both}
    return example(number, scores=scores, question="What is it?", **changes)


def mixed(count=200, seed=0):
    draws = np.random.default_rng(seed).normal(0, 0.1, count)
    means, texts = (-0.5, -2.0), (ONE, THREE)
    return [replace(sure(n, means[n % 2] + draw), description=texts[n % 2]) for n, draw in enumerate(draws)]


def refused(rows, **settings):
    kept, rejections, _, measured = check_confidence(rows, Confidence(enabled=True, **settings))
    by_id = {row.id: row for row in rows}
    assert {one.reason for one in rejections} <= {"labeller-unsure"}
    return [by_id[one.id] for one in rejections], kept, measured


def test_as_large_a_share_of_the_hard_rows_is_refused_as_of_the_easy():
    gone, kept, _ = refused(mixed(80), refused_share=0.2)
    assert Counter(row.description for row in gone) == {ONE: 8, THREE: 8}
    assert len(kept) == 64
    lowest = max(row.scores[DESCRIPTION_SCORE] for row in gone if row.description == ONE)
    assert all(row.scores[DESCRIPTION_SCORE] > lowest for row in kept if row.description == ONE)


def test_without_strata_the_hard_rows_go_first():
    gone, _, _ = refused(mixed(), refused_share=0.2, strata=())
    assert {row.description for row in gone} == {THREE}


@pytest.mark.parametrize("by", ["kind", "category", "things"])
def test_rows_are_parted_by_each_of_their_attributes(by):
    changes = {"kind": {"kind": "count"}, "category": {"category": "food"}, "things": {"description": THREE}}
    rows = [sure(n, -0.5 - n / 1000) for n in range(40)]
    rows += [example(n, **changes[by], scores={DESCRIPTION_SCORE: -3.0 - n / 1000}) for n in range(40, 80)]
    gone, _, _ = refused(rows, refused_share=0.1, strata=(by,))
    assert [row.id for row in gone] == [row.id for row in (*rows[36:40], *rows[76:])]


def test_a_stratum_of_few_rows_is_held_against_a_coarser_one():
    rows = [sure(n, -0.5 - n / 1000) for n in range(40)]
    few = [sure(n, -0.4, category="food") for n in range(40, 45)]
    gone, _, measured = refused([*rows, *few], refused_share=0.1)
    assert not any(row.category == "food" for row in gone)
    assert not any("food" in name for name in measured)


def test_what_comes_later_changes_no_verdict_on_what_came_before():
    rows = mixed(4 * FIRST_GROUPS, seed=1)
    gone, _, measured = refused(rows)
    for count in (FIRST_GROUPS, FIRST_GROUPS + 1, 2 * FIRST_GROUPS):
        earlier, _, bounds = refused(rows[:count])
        assert bounds == measured
        assert earlier == [row for row in rows[:count] if row in gone]


@pytest.mark.parametrize(
    ("score", "bound", "kept"),
    [("both", -0.5, 1), ("both", -0.4, 0), ("answer", -0.3, 1), ("description", -0.6, 0)],
)
def test_a_bound_of_ones_own_is_the_same_for_all(score, bound, kept):
    assert len(refused([sure(0, -0.7, -0.3)], score=score, bound=bound)[1]) == kept


@pytest.mark.parametrize("part", [DESCRIPTION_SCORE, ANSWER_SCORE, LABEL_SCORE])
def test_a_label_of_one_part_is_held_against_the_bound_by_that_part(part):
    rows = [example(0, scores={part: -0.4}), example(1, scores={part: -0.6})]
    assert [row.id for row in refused(rows, bound=-0.5)[0]] == [rows[1].id]


def test_rows_of_which_nothing_is_told_pass():
    rows = [example(n) for n in range(30)]
    _, kept, _ = refused([*rows, *mixed(40)], refused_share=0.5)
    assert kept[:30] == rows


def test_a_gate_that_can_tell_of_no_row_says_so():
    with pytest.raises(StageFailure, match=r"given 30 rows, and of none .* second_judge"):
        refused([example(n) for n in range(30)])


@pytest.mark.parametrize(
    ("text", "things"),
    [
        (ONE, "1"),
        (THREE, "3"),
        ("Nine cars, an owl, some cups, a dog and one hat.", "4"),
        ("Snow.", "0"),
        ("", "0"),
        ("ANOTHER dog and Two cats", "1"),
    ],
)
def test_things_are_counted_by_articles_and_numbers(text, things):
    assert things_shown(example(0, description=text, target="")) == things


@pytest.mark.parametrize(
    ("told", "things"), [("2", "2"), ("frog, bus, kite", "3"), ("9" * 5000, "4"), (" ", "1")]
)
def test_things_that_are_known_need_not_be_counted(told, things):
    assert things_shown(example(0, description=ONE, attributes={"objects": told})) == things


@pytest.mark.parametrize(
    ("question", "kind", "expected"),
    [
        ("How many dogs?", "", "how many"),
        ("Where?", "", "where?"),
        ("Where?", "place", "place"),
        ("", "", ""),
    ],
)
def test_a_question_is_of_a_kind_by_its_first_words(question, kind, expected):
    assert kind_asked(example(0, question=question, kind=kind)) == expected


def test_bounds_are_told():
    _, _, measured = refused([sure(n, -0.5 - n / 100) for n in range(20)])
    assert math.isclose(measured["bound of all"], -0.585)
    assert "bound of 1 / nature / what is" in measured
