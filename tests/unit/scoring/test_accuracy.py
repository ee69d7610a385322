import pytest
from statsmodels.stats.proportion import proportion_confint

from blip_core.errors import EmptyDataset
from blip_core.scoring import accuracy
from blip_core.scoring.accuracy import wilson


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_of_newcombe_1998_table_1(right, n, low, high):
    score = wilson(right, n)
    assert score.low == pytest.approx(low, abs=5e-5)
    assert score.high == pytest.approx(high, abs=5e-5)


def test_intervals_are_those_of_statsmodels_to_the_last_bit():
    pairs = [(right, n) for n in (*range(1, 60), 263, 2080) for right in {0, n // 3, n // 2, n - 1, n}]
    said = [proportion_confint(right, n, alpha=0.05, method="wilson") for right, n in pairs]
    ours = [wilson(right, n) for right, n in pairs]
    assert [(one.low, one.high) for one in ours] == [
        (min(low, one.value), max(high, one.value)) for (low, high), one in zip(said, ours, strict=True)
    ]


def test_the_ranked_letter_counts(prediction):
    score = accuracy([prediction(0), prediction(1), prediction(2), prediction(3, is_right=False)])
    assert (score.value, score.n) == (0.75, 4)
    assert 0 < score.low < 0.75 < score.high < 1


def test_nothing_to_score_is_an_error():
    with pytest.raises(EmptyDataset, match="no predictions"):
        accuracy([])
