from dataclasses import replace

import pytest

from blip_core.reporting import tables
from tests.unit.judged_rows import CATEGORIES, KINDS, VARIANTS, judged_rows, scores_of

ROTATED = {"rotations_right": 4, "mean_a": 0.7, "mean_b": 0.1, "mean_c": 0.1, "mean_d": 0.1}


@pytest.fixture(scope="module")
def answers():
    return judged_rows(40)[0]


@pytest.fixture(scope="module")
def scores(answers):
    return scores_of(answers)


def test_parts_have_a_line_each_and_a_cell_a_variant(scores):
    kinds, categories = tables.parts(scores, "by_kind"), tables.parts(scores, "by_category")
    assert [line.name for line in kinds] == sorted(KINDS)
    assert [line.name for line in categories] == sorted(CATEGORIES)
    assert sum(line.n for line in kinds) == sum(line.n for line in categories) == 40
    assert {len(line.cells) for line in kinds} == {len(VARIANTS)}


def test_a_single_part_is_no_table():
    answers, _ = judged_rows(8, category="food", kind="")
    assert tables.parts(scores_of(answers), "by_category") == []
    assert tables.parts(scores_of(answers), "by_kind") == []


def test_modes_that_nobody_asked_for_have_no_table(scores):
    assert tables.modes(scores) == []


def test_ablations_stand_below_the_whole_with_their_difference(answers):
    blind = [replace(row, mode="blind", ranked="A") for row in answers["finetuned"]]
    whole, line = tables.modes(scores_of(answers, {"finetuned": blind}))
    assert whole.cells[2].accuracy.value == pytest.approx(0.5)
    assert line.name == "neither picture nor description"
    assert line.cells[:2] == [None, None]
    assert line.cells[2].comparison.difference == pytest.approx(line.cells[2].accuracy.value - 0.5)


def test_rotations_are_lines_of_their_own_and_their_chance_is_lower():
    answers, _ = judged_rows(8, **ROTATED)
    names = {line.name: line.chance for line in tables.modes(scores_of(answers))}
    assert names == {
        "everything shown": 0.25,
        "right in all rotations": 0.25**4,
        "averaged over the rotations": 0.25,
    }


def test_confusion_counts_truth_against_choice(answers):
    found = tables.confusion("finetuned", answers["finetuned"])
    assert found.letters == ["A", "B", "C", "D"]
    assert sum(map(sum, found.counts)) == 40
    assert sum(found.counts[place][place] for place in range(4)) == 20
    assert found.shade(0, 0) == round(10 * found.counts[0][0] / sum(found.counts[0]))


def test_rows_without_truth_are_not_confused():
    answers, _ = judged_rows(8, truth="")
    assert tables.confusions(answers) == []


def test_letters_that_no_row_has_are_no_column(answers):
    two = [replace(row, truth="AB"[n % 2], ranked="A") for n, row in enumerate(answers["finetuned"])]
    assert tables.confusion("v", two) == tables.Confusion("v", ["A", "B"], ["A", "B"], [[20, 0], [20, 0]])


def test_answers_that_name_no_letter_have_a_column_of_their_own(answers):
    rows = [replace(row, truth="A", ranked="A" if n else "") for n, row in enumerate(answers["finetuned"])]
    assert tables.confusion("v", rows) == tables.Confusion("v", ["A"], ["A", ""], [[39, 1]])


def test_calibrations_come_back_as_they_were_scored(answers, scores):
    found = tables.calibrations(scores)
    assert list(found) == list(VARIANTS)
    assert sum(one.n for one in found["finetuned"].bins) == 40
    assert tables.calibrations({"variants": {"old": {}}}) == {}
