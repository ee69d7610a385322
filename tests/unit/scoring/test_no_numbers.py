"""No score is made of what is no number, and none is one."""

from dataclasses import replace
from math import inf, nan

import pytest

from blip_core.errors import NotANumber
from blip_core.records import Prediction
from blip_core.scoring import Accuracy, Comparison
from blip_core.scoring.calibration import Calibration
from blip_core.scoring.captions import CaptionScore
from blip_core.scoring.findings import Finding
from blip_core.scoring.measurement import Measurement
from tests.unit.judged_rows import judged_rows

NONE = [nan, inf, -inf]
ROW = judged_rows(1)[0]["finetuned"][0]
MEANS = {f"mean_{letter}": 0.25 for letter in "abcd"}


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize(
    "field", ["p_a", "p_d", "p_more", "mean_b", "mean_more"], ids=lambda field: field.replace("_", "-")
)
def test_an_answer_without_a_probability_is_no_answer(field, value):
    changed = (0.1, value) if field.endswith("more") else value
    with pytest.raises(
        NotANumber, match=f"the probabilities of row {ROW.id} are NaN or infinite where 'finetuned'"
    ):
        replace(ROW, **MEANS | {field: changed})


def test_an_answer_that_was_kept_with_nan_is_refused_as_it_is_read():
    with pytest.raises(NotANumber, match=ROW.id):
        Prediction.from_row(ROW.to_row() | {"p_c": nan})


def test_no_letter_and_no_probabilities_are_an_answer():
    assert replace(ROW, p_a=0.0, p_b=0.0, p_c=0.0, p_d=0.0, ranked="").ranked == ""


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize("field", ["difference", "low", "high", "p_value", "p_adjusted"])
def test_a_comparison_names_what_is_none(field, value):
    sound = {"difference": 0.1, "low": 0.0, "high": 0.2, "p_value": 0.5, "p_adjusted": None}
    with pytest.raises(NotANumber, match=f"tuned against base: {field} is {value}"):
        Comparison("base", "tuned", discordant=1, n=2, clusters=2, **sound | {field: value})


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize(
    "make",
    [
        lambda value: Accuracy(value, 0.0, 1.0, 4),
        lambda value: Accuracy(0.5, value, 1.0, 4),
        lambda value: Calibration(ece=value, brier=0.0, bins=()),
        lambda value: Calibration(ece=0.0, brier=value, bins=()),
        lambda value: CaptionScore("x", 1.0, value, 0.0, 0.0),
        lambda value: Measurement("x", "p", "base", "test", "cider", value),
        lambda value: Finding(
            "gain",
            "base",
            "tuned",
            "letters",
            "test",
            0.1,
            (0.0, value),
            0.5,
            0.5,
            9,
            9,
            "paired",
            "more",
            0.0,
            False,
        ),
    ],
    ids=["share", "interval", "calibration", "brier", "caption", "measurement", "finding"],
)
def test_every_score_is_a_number(make, value):
    with pytest.raises(NotANumber, match=f"is {value}, where a number is needed"):
        make(value)
