import pytest
from sklearn.metrics import brier_score_loss

from blip_core.errors import EmptyDataset
from blip_core.scoring import calibration

# Top probability, right or not: five answers for a table of five bins, worked out by hand.
TABLE = [(0.90, True), (0.85, False), (0.55, True), (0.50, False), (0.30, False)]


@pytest.fixture
def rows(prediction):
    def build(table):
        found = []
        for number, (top, is_right) in enumerate(table):
            rest = (1 - top) / 3
            found.append(prediction(number, is_right=is_right, p_a=top, p_b=rest, p_c=rest, p_d=rest))
        return found

    return build


def test_the_reliability_table_is_the_one_made_by_hand(rows):
    bins = calibration(rows(TABLE), bins=5).bins
    assert [(one.low, one.high) for one in bins] == [
        pytest.approx(ends) for ends in ((0.2, 0.4), (0.4, 0.6), (0.8, 1.0))
    ]
    assert [(one.n, one.confidence, one.accuracy) for one in bins] == [
        pytest.approx(values) for values in ((1, 0.3, 0.0), (2, 0.525, 0.5), (2, 0.875, 0.5))
    ]


def test_the_error_weights_each_bin_by_its_answers(rows):
    by_hand = (1 * 0.3 + 2 * 0.025 + 2 * 0.375) / 5
    assert calibration(rows(TABLE), bins=5).ece == pytest.approx(by_hand)


def test_the_upper_end_belongs_to_a_bin(rows):
    (only,) = calibration(rows([(0.5, True), (0.45, True)]), bins=4).bins
    assert (only.low, only.high, only.n) == (0.25, 0.5, 2)


def test_the_brier_score_is_that_of_scikit_learn(rows):
    predictions = rows(TABLE)
    known = brier_score_loss(
        [row.truth for row in predictions],
        [row.probabilities for row in predictions],
        labels=["A", "B", "C", "D"],
        scale_by_half=False,
    )
    assert calibration(predictions).brier == pytest.approx(known)


def test_sure_and_always_wrong_is_the_worst_there_is(rows):
    found = calibration(rows([(1.0, False)] * 3))
    assert (found.ece, found.brier) == (1.0, 2.0)


def test_nothing_to_score_is_an_error():
    with pytest.raises(EmptyDataset, match="no predictions"):
        calibration([])


def test_questions_of_more_options_are_judged_beside_those_of_four(prediction):
    four = prediction(0)  # sure and right
    six = prediction(1, offered=6, p_a=0.0, p_more=(0.0, 1.0), ranked="F", truth="F")
    wrong = prediction(2, offered=6, p_a=0.0, p_more=(0.0, 1.0), ranked="F", truth="E")

    assert calibration([four, six]).brier == 0.0
    assert calibration([wrong]).brier == 2.0
