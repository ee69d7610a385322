import pytest

from blip_core.scoring import averaged_accuracy, circular_accuracy
from blip_core.scoring.accuracy import wilson


def test_only_right_in_all_four_rotations_counts(prediction):
    rows = [prediction(number, rotations_right=right) for number, right in enumerate([4, 4, 3, 0])]
    assert circular_accuracy(rows) == wilson(2, 4)


def test_rows_that_were_not_rotated_are_left_out(prediction):
    rows = [prediction(0, rotations_right=4), prediction(1)]
    assert circular_accuracy(rows) == wilson(1, 1)
    assert circular_accuracy(rows[1:]) is None
    assert averaged_accuracy(rows) is None


@pytest.mark.parametrize(("means", "share"), [((0.2, 0.5, 0.2, 0.1), 1.0), ((0.4, 0.3, 0.2, 0.1), 0.0)])
def test_the_averaged_answer_counts_and_not_the_ranked_one(prediction, means, share):
    averages = dict(zip(("mean_a", "mean_b", "mean_c", "mean_d"), means, strict=True))
    row = prediction(0, ranked="A", truth="B", **averages)
    assert averaged_accuracy([row]).value == share


def test_a_question_has_as_many_rotations_as_options(prediction):
    of_two = prediction(0, offered=2, rotations_right=2)
    of_six = prediction(1, offered=6, rotations_right=4, p_more=(0.0, 0.0))

    assert circular_accuracy([of_two, of_six]) == wilson(1, 2)


def test_the_sixth_letter_can_be_best_on_the_average(prediction):
    averages = {"mean_a": 0.1, "mean_b": 0.1, "mean_c": 0.1, "mean_d": 0.1, "mean_more": (0.1, 0.5)}

    assert averaged_accuracy([prediction(0, offered=6, truth="F", **averages)]) == wilson(1, 1)
