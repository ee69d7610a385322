"""Means of measures of texts, their intervals and comparisons."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.errors import EmptyDataset
from blip_core.scoring.bleu import corpus_bleu
from blip_core.scoring.main_measure import main_measure, main_score, ranking_of
from blip_core.scoring.measurement import Measurement, answers_of, measure, measure_run
from blip_core.scoring.texts import compare_measured, mean_with_interval, means, score_texts
from tests.unit.scoring.measures.test_measures import prediction as written

FEW = 200  # resamples
RIGHT = ("red", "blue", "green")


def answered(prediction, right, task="vqa", variant="v", **changes):
    empty = {"ranked": "", "truth": "", "offered": 0, "task": task, "variant": variant, "p_a": 0.0}
    empty |= {"generated_letter": "", "description": "", "kind": ""} | changes
    return [
        prediction(
            number, **empty, target=RIGHT[number % 3], generated=RIGHT[number % 3] if is_right else "x"
        )
        for number, is_right in enumerate(right)
    ]


def test_the_main_score_is_the_mean_of_its_measure(prediction):
    told = score_texts(answered(prediction, [True, True, False, True]), draws=FEW)
    assert main_score(told)["value"] == told["measures"]["vqa-accuracy"] == 0.75
    assert (told["main"]["n"], told["measure"]["name"]) == (4, "vqa-accuracy")
    assert told["by_category"]["food"]["value"] == 0.75
    assert ranking_of({"variants": {"v": told}}).words == "VQA accuracy"


def test_rows_whose_right_text_nobody_knows_are_left_out(prediction):
    rows = answered(prediction, [True, False, True])
    rows[1] = replace(rows[1], target="")
    assert score_texts(rows, draws=FEW)["main"]["n"] == 2
    with pytest.raises(EmptyDataset, match="of no row is it known what would be right"):
        score_texts([replace(row, target="") for row in rows])
    with pytest.raises(EmptyDataset, match="no predictions"):
        score_texts([])


def test_an_empty_answer_is_wrong_and_counts(prediction):
    rows = answered(prediction, [True, True])
    rows[0] = replace(rows[0], generated="")
    assert score_texts(rows, draws=FEW)["main"]["value"] == 0.5


def test_one_picture_alone_says_nothing_of_others(prediction):
    rows = answered(prediction, [True, False, True], picture_id="p")
    told = score_texts(rows, draws=FEW)["main"]
    assert (told["low"], told["high"]) == (0.0, 1.0)


@pytest.mark.parametrize(("span", "low", "high"), [(None, 0.0, 6.0), (10.0, 0.0, 10.0), (1.0, 0.0, 3.0)])
def test_one_picture_leaves_all_open_that_the_span_of_a_measure_allows(span, low, high):
    judged = [Measurement(f"r{value}", "p", "v", "table", "length", value) for value in (2.0, 3.0, 4.0)]
    found = mean_with_interval(judged, replace(main_measure("vqa"), span=span), draws=FEW)
    assert (found.value, found.low, found.high, found.n) == (3.0, low, high, 3)


def test_captions_of_one_picture_are_right_for_each_of_its_rows(prediction):
    rows = answered(prediction, [True, True, True], task="caption", picture_id="p")
    assert {one.references for one in answers_of(rows)} == {RIGHT}
    alone = answered(prediction, [True, True, True], task="vqa", picture_id="p")
    assert [one.references for one in answers_of(alone)] == [(text,) for text in RIGHT]


def test_a_mode_is_measured_under_the_name_of_who_was_asked_so(answered):
    rows = answered("tuned", [True, False])
    blind = [replace(row, mode="blind", ranked="B") for row in rows]
    found = measure_run({"tuned": rows}, {"tuned": blind}, "split")
    letters = [(one.variant, one.row, one.value) for one in found if one.measure == "letter-right"]
    assert letters == [
        ("tuned", "q00000", 1.0),
        ("tuned", "q00001", 0.0),
        ("tuned@blind", "q00000", 0.0),
        ("tuned@blind", "q00001", 0.0),
    ]
    assert {one.set for one in found} == {"split"}


def test_what_a_recipe_did_not_ask_for_has_no_values(answered):
    quiet = [replace(row, generated="", generated_letter="") for row in answered("v", [True, True])]
    assert means(measure(quiet, "v")) == {"letter-right": 1.0}


def test_an_empty_free_answer_counts_where_others_wrote(answered):
    rows = answered("v", [True, True])
    rows[0] = replace(rows[0], generated="", generated_letter="")
    found = means(measure(rows, "v"))
    assert (found["no-letter"], found["written-letter-right"]) == (0.5, 0.5)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=12))
def test_a_comparison_is_the_difference_of_the_means_and_turns_its_sign(pairs):
    from tests.unit.scoring.conftest import _prediction

    main = main_measure("vqa")
    rows = [
        answered(_prediction, [one[side] for one in pairs], variant=name) for side, name in enumerate("ab")
    ]
    a, b = (measure(said, name) for said, name in zip(rows, "ab", strict=True))
    there, back = compare_measured(a, b, main, draws=FEW), compare_measured(b, a, main, draws=FEW)
    expected = np.mean([second for _, second in pairs]) - np.mean([first for first, _ in pairs])
    assert there.difference == pytest.approx(expected) == pytest.approx(-back.difference)
    assert (there.p_value, there.discordant) == (back.p_value, back.discordant)
    assert (there.a, there.b) == ("a", "b")


def test_nothing_in_common_is_no_comparison(prediction):
    a = measure(answered(prediction, [True]), "a")
    b = measure([replace(row, id="other") for row in answered(prediction, [True])], "b")
    with pytest.raises(EmptyDataset, match="no row has a value of vqa-accuracy for both"):
        compare_measured(a, b, main_measure("vqa"))


def test_captions_have_a_bleu_of_all_of_them_beside_that_of_each():
    said = [("a red shoe on the mat", "a red shoe on the mat"), ("a shoe", "a blue boot in the old shop")]
    rows = [
        written(id=str(n), picture_id=str(n), task="caption", ranked="", generated=text, target=right)
        for n, (text, right) in enumerate(said)
    ]
    told = score_texts(rows, draws=20)["measures"]
    whole = corpus_bleu([text for text, _ in said], [[right] for _, right in said])
    assert told["bleu-corpus"] == pytest.approx(whole.value / 100)
    assert told["bleu-corpus"] != pytest.approx(told["bleu-4"])
