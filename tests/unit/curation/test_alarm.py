"""How many answers are likely to be wrong: by confidence, by a judge, by a text that is always right."""

import math

import numpy as np
import pytest

from blip_core.curation.alarm import check_alarm, estimate_wrong, stuck_share, wrong_though_agreed
from blip_core.errors import DoubtfulDataset
from blip_core.recipes.curation import Alarm
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE
from tests.unit.examples import example

OPTIONS = ("frog", "bus", "kite", "cake", "tree", "cup", "boat", "dog")


def asked(number, right, rng):
    others = [option for option in OPTIONS if option != right]
    options = [right, *rng.permutation(others)[:3]]
    order = rng.permutation(4)
    row = example(number, answer="ABCD"[list(order).index(0)], target=right)
    return row.with_options([str(options[place]) for place in order])


def rows(stuck=0, count=400):
    rng = np.random.default_rng(0)
    texts = ["frog"] * stuck + [OPTIONS[1 + n % 7] for n in range(count - stuck)]
    return [asked(number, text, rng) for number, text in enumerate(texts)]


@pytest.mark.parametrize("probability", [1.0, 0.9, 0.5])
def test_one_less_the_mean_probability_is_wrong_as_far_as_a_labeller_is_calibrated(probability):
    scores = {DESCRIPTION_SCORE: 0.5 * math.log(probability), ANSWER_SCORE: 0.5 * math.log(probability)}
    told = estimate_wrong([example(n, scores=scores) for n in range(10)], {}, Alarm())
    assert told["confidence"] == pytest.approx(1 - probability)


def test_nothing_is_estimated_from_what_is_not_told():
    assert set(estimate_wrong([example(0)], {}, Alarm())) == {"stuck-answers"}
    assert estimate_wrong([example(0, task="caption", answer="", a="", b="", c="", d="")], {}, Alarm()) == {}
    assert estimate_wrong([], {"second_judge": {"agreement": 0.5}}, Alarm()) == {}


def test_a_text_that_is_right_whenever_it_is_offered_counts_beyond_its_share():
    assert stuck_share(rows()) == 0.0
    rng = np.random.default_rng(1)
    stuck = [asked(1_000 + n, "swing", rng) for n in range(80)]
    assert stuck_share([*rows(), *stuck]) == pytest.approx(80 * 0.75 / 480)
    assert stuck_share([*rows(), *stuck[:14]]) == 0.0  # too few to say


@pytest.mark.parametrize(("accuracy", "options"), [(0.7, 4.0), (0.9, 2.0), (0.6, 10.0)])
@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.4])
def test_a_judge_that_errs_independently_tells_how_many_labels_are_wrong(accuracy, options, wrong):
    by_accident = (1 - accuracy) / (options - 1)
    agreement = accuracy * (1 - wrong) + by_accident * wrong
    left = wrong_though_agreed(agreement, accuracy, options)
    assert left == pytest.approx(wrong * by_accident / agreement)


@pytest.mark.parametrize(("agreement", "accuracy"), [(0.0, 0.9), (1.0, 0.2), (0.3, 0.25), (1.0, 1.0)])
def test_a_judge_that_tells_nothing_estimates_nothing(agreement, accuracy):
    assert wrong_though_agreed(agreement, accuracy, 4.0) == 0.0


def test_too_many_wrong_answers_stop_the_dataset_in_one_sentence():
    told = {"confidence": 0.2, "stuck-answers": 0.05}
    with pytest.raises(DoubtfulDataset) as stopped:
        check_alarm(told, Alarm(enabled=True, max_wrong_share=0.15), "gallery-vqa")
    said = str(stopped.value)
    assert all(part in said for part in ("20.0%", "15.0%", "confidence", "last version", "raise the bound"))
    assert "\n" not in said
    assert ". " not in said


@pytest.mark.parametrize(
    "settings",
    [
        {"enabled": False},
        {"max_wrong_share": 0.2},
        {"by": "stuck-answers"},
        {"by": "judge"},
    ],
)
def test_what_is_off_within_its_bound_or_not_asked_about_stops_nothing(settings):
    told = {"confidence": 0.2, "stuck-answers": 0.05}
    check_alarm(told, Alarm(**{"enabled": True, "max_wrong_share": 0.15} | settings), "x")
    check_alarm({}, Alarm(enabled=True), "x")
