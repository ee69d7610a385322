"""Gates that ask another model: what it refuses, what it measures, and where it is of no use."""

from dataclasses import replace

import numpy as np
import pytest

from blip_core.curation.blind import GUESSING, ask_blind
from blip_core.curation.second_judge import AGREEMENT, ask_second_judge
from blip_core.errors import StageFailure
from blip_core.ports import Weight
from blip_core.recipes.curation import Blind, SecondJudge
from tests.unit.examples import example

ROWS = [example(number) for number in range(60)]
FREE = [replace(row, task="vqa", a="", b="", c="", d="", answer="", target="a frog") for row in ROWS]


class Judge:
    """Says and weighs what it is told to, by the number of the row in its id."""

    def __init__(self, says=None, weighs=None):
        self.says, self.weighs, self.modes = says, weighs, []

    def answer(self, rows):
        return [self.says(row) for row in rows]

    def weigh(self, rows, mode="both"):
        self.modes.append(mode)
        return [self.weighs(row, mode) for row in rows]

    def close(self):
        pass


class Answering:
    """A judge of a package that only answers."""

    def __init__(self, says):
        self.says = says

    def answer(self, rows):
        return [self.says(row) for row in rows]

    def close(self):
        pass


def number(row):
    return int(row.id.split("-")[1])


def by_answer(rows, says):
    return ask_second_judge(rows, SecondJudge(enabled=True, variant="flan-t5"), Answering(says))


def by_likelihood(rows, weighs, **settings):
    dials = SecondJudge(enabled=True, variant="flan-t5", by="likelihood", **settings)
    kept, refused, _, _ = ask_second_judge(rows, dials, Judge(weighs=weighs))
    assert {one.reason for one in refused} <= {"second-judge-doubts"}
    return [number(row) for row in rows if row not in kept]


def test_a_judge_that_answers_most_questions_refuses_the_others_and_says_how_often_it_agrees():
    kept, refused, _, measured = by_answer(ROWS, lambda row: "A" if number(row) < 12 else row.answer)
    assert [number(row) for row in ROWS if row not in kept] == [n for n in range(12) if n % 4]
    assert {one.reason for one in refused} == {"second-judge-disagrees"}
    assert measured[AGREEMENT] == pytest.approx(51 / 60)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (ROWS, lambda row: ""),
        (ROWS, lambda row: "A"),
        (ROWS, lambda row: "I cannot see."),
        (ROWS, lambda row: "ABCD"[(number(row) + 1) % 4]),
        (ROWS, lambda row: "ABCD"[number(row) // 4 % 4]),
        (FREE, lambda row: "nothing"),
    ],
    ids=["nothing", "one letter", "words", "always the next letter", "at random", "words for words"],
)
def test_a_judge_that_does_no_better_than_guessing_stops_with_a_summary(rows, says):
    with pytest.raises(StageFailure, match=r"the judge flan-t5 answers \d+ of 60 rows .* guessing"):
        by_answer(rows, says)
    few, _, _, _ = by_answer(rows[:40], says)
    assert len(few) <= 40  # of so few nothing can be said


def test_the_least_likely_labels_are_refused_whichever_part_of_them_is_unlikely():
    def weighs(row, _):
        n = number(row)
        return Weight(-9.0 if n in (3, 5) else -0.1 * n / 60, True, -9.0 if n in (7, 9) else -1.0 - n / 60)

    assert by_likelihood(ROWS, weighs, refused_share=0.07, strata=()) == [3, 5, 7, 9]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_a_judge_refuses_about_its_share(share):
    draws = np.random.default_rng(0).normal(size=(60, 2))
    refused = by_likelihood(
        ROWS, lambda row, _: Weight(draws[number(row), 0], True, draws[number(row), 1]), refused_share=share
    )
    assert len(refused) == pytest.approx(60 * share, abs=2)


def test_a_row_without_a_description_is_ranked_by_its_answer():
    def weighs(row, _):
        return Weight(-float(number(row) == 4), True)

    assert by_likelihood(ROWS, weighs, refused_share=0.02) == [4]


def test_a_judge_to_which_all_labels_are_the_same_stops():
    with pytest.raises(StageFailure, match="finds all 60 labels equally likely"):
        by_likelihood(ROWS, lambda row, _: Weight(-1.0, True, -1.0))


def test_a_judge_that_cannot_weigh_is_told_apart():
    dials = SecondJudge(enabled=True, variant="mine", by="likelihood")
    with pytest.raises(StageFailure, match=r"second_judge.by to answer"):
        ask_second_judge(ROWS, dials, Answering(lambda row: row.answer))
    with pytest.raises(StageFailure, match=r"curation.blind.variant"):
        ask_blind(ROWS, Blind(enabled=True, variant="mine"), Answering(lambda row: row.answer))


def blind(says_right, **settings):
    judge = Judge(weighs=lambda row, mode: Weight(-1.0, says_right(row, mode)))
    kept, refused, _, measured = ask_blind(ROWS, Blind(enabled=True, variant="flan-t5", **settings), judge)
    return kept, refused, measured, judge


def test_what_is_answered_without_the_picture_is_measured_with_its_interval_and_kept():
    kept, refused, measured, _ = blind(lambda row, mode: number(row) % (4 if mode == "blind" else 2) == 0)
    assert (kept, refused) == (ROWS, [])
    assert measured["blind accuracy"] == measured[GUESSING] == 0.25
    assert measured["blind accuracy, low"] < 0.25 < measured["blind accuracy, high"]
    assert measured["accuracy from the description alone"] == 0.5


@pytest.mark.parametrize("told", [{"A", "B", "C", "D"}, {"A"}, {"B", "D"}, set()])
def test_only_what_is_answered_wherever_its_option_stands_is_dropped_where_a_recipe_says_so(told):
    kept, refused, _, judge = blind(lambda row, _: row.answer in told and number(row) < 10, drop=True)
    assert [number(row) for row in ROWS if row not in kept] == (list(range(10)) if len(told) == 4 else [])
    assert {one.reason for one in refused} <= {"answered-blind"}
    assert set(judge.modes) == {"blind", "description-only"}


def test_no_rows_are_no_matter():
    assert ask_blind([], Blind(enabled=True, variant="x"), Judge()) == ([], [], {}, {})
    assert by_likelihood([], None) == []
    assert by_answer([], None) == ([], [], {}, {})
