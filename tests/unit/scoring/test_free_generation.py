import pytest

from blip_core.errors import EmptyDataset
from blip_core.scoring import free_generation, invalid_rate
from blip_core.scoring.accuracy import wilson


def test_an_answer_without_a_letter_is_invalid_and_wrong(prediction):
    rows = [
        prediction(0),
        prediction(1, generated_letter="B"),
        prediction(2, generated="no idea", generated_letter=""),
        prediction(3, generated="", generated_letter=""),
    ]
    assert free_generation(rows) == (0.25, 0.5)


def test_the_ranked_letter_does_not_count(prediction):
    assert free_generation([prediction(0, ranked="B", generated_letter="A")]).accuracy == 1.0


def test_the_invalid_rate_has_its_interval(prediction):
    rows = [prediction(0), prediction(1, generated_letter=""), prediction(2, generated_letter="B")]
    assert invalid_rate(rows) == wilson(1, 3)


def test_nothing_to_score_is_an_error():
    with pytest.raises(EmptyDataset, match="no predictions"):
        free_generation([])
