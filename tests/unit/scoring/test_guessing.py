import pytest

from blip_core.scoring import Guessing, guessing


def test_guessing_among_four_reaches_a_quarter_and_hardly_ever_all_rotations(prediction):
    assert guessing([prediction(0), prediction(1)]) == Guessing(0.25, 0.25**4) == guessing([])


def test_fewer_options_are_guessed_more_easily(prediction):
    rows = [prediction(0, offered=2), prediction(1, offered=10)]

    assert guessing(rows).accuracy == pytest.approx((1 / 2 + 1 / 10) / 2)
    assert guessing(rows).circular == pytest.approx((1 / 4 + 1e-10) / 2)
