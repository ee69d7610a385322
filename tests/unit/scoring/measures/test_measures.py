import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.records import Prediction
from blip_core.scoring.measures import MEASURES, Answer
from blip_core.scoring.measures.answers import anls, exact, vqa_accuracy
from blip_core.scoring.measures.bleu import bleu, brevity_penalty
from blip_core.scoring.measures.cider import cider
from blip_core.scoring.measures.naming import names
from blip_core.scoring.measures.vqa_text import normalised_answer
from blip_core.scoring.measures.wording import distinct, is_finished, repetition

TEXT = st.text(alphabet="ab cd.'é한 ", max_size=24)


def prediction(**fields):
    told = {"id": "r", "picture_id": "p", "category": "", "kind": "", "variant": "v", "description": ""}
    told |= {"p_a": 0.7, "p_b": 0.1, "p_c": 0.1, "p_d": 0.1, "ranked": "A", "truth": "A"}
    told |= {"generated": "", "generated_letter": ""}
    return Prediction(**{**told, **fields})


def answer(text="", references=(), task="caption", **fields):
    return Answer(prediction(**fields), task, text, tuple(references))


def value(name, given):
    measure = next(one for one in MEASURES if one.name == name)
    return measure.values([given])[0]


@pytest.mark.parametrize(
    ("said", "right", "order", "share"),
    [
        ("a red dog", "a red dog", 3, 1.0),
        ("a red dog", "a red cat", 1, 2 / 3),
        ("a red dog", "a red cat", 2, 0.5),
        ("the the the", "the dog", 1, 1 / 3),
        ("dog", "dog", 2, None),
        ("", "dog", 1, None),
        ("한 개 한", "한 개", 1, 2 / 3),
    ],
)
def test_an_ngram_counts_as_often_as_the_right_text_has_it(said, right, order, share):
    assert value(f"precision-{order}", answer(said, [right])) == (share and pytest.approx(share))


def test_every_measure_has_a_name_of_its_own():
    assert len({one.name for one in MEASURES}) == len(MEASURES)


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("The dog.", "dog"),
        ("two", "2"),
        ("None", "0"),
        ("dont know", "don't know"),
        ("well-known", "well known"),
        ("1,000 people", "1000 people"),
        ("3.5 m", "3.5 m"),
        ("yes!", "Yes"),
        ("hello ,world", "hello world"),
        ("its tail", "its tail"),
    ],
)
def test_short_answers_are_compared_without_case_articles_marks_and_number_words(said, same):
    assert normalised_answer(said) == normalised_answer(same)


def test_a_period_inside_a_number_stays():
    assert normalised_answer("3.5") != normalised_answer("35")


@pytest.mark.parametrize(
    ("agreeing", "expected"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_vqa_accuracy_is_the_published_table_of_agreement_among_ten_people(agreeing, expected):
    people = ["blue"] * agreeing + [f"other {one}" for one in range(10 - agreeing)]
    assert vqa_accuracy("Blue.", people) == pytest.approx(expected)


def test_a_single_answer_is_right_or_wrong():
    assert (vqa_accuracy("a Dog", ["dog"]), vqa_accuracy("cat", ["dog"])) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("said", "right", "expected"),
    [("hello", "hello", 1.0), ("hallo", "hello", 0.8), ("hxxxo", "hello", 0.0), ("", "hello", 0.0)],
)
def test_anls_gives_nothing_below_half(said, right, expected):
    assert anls(said, ["nothing alike at all", right]) == pytest.approx(expected)


def test_cider_agrees_with_the_published_scorer():
    rows = [  # values of pycocoevalcap 1.2, CiderScorer(n=4, sigma=6.0)
        ("a brown dog runs on the beach", 2.12749162, ["a dog runs along the beach", BEACH]),
        ("a red car", 2.18904481, ["a red car stands in front of a house"]),
        ("two cats sleep on a sofa", 10.0, ["two cats sleep on a sofa"]),
        ("a man with a hat reads a newspaper in the park", 2.92506991, [OLD_MAN, "a man sits on a bench"]),
    ]
    found = cider([answer(text, references) for text, _, references in rows])
    assert found == pytest.approx([expected for _, expected, _ in rows], abs=1e-7)


BEACH = "the brown dog is running on a beach near the sea"
OLD_MAN = "an old man reads a newspaper in the park"


def test_bleu_of_low_orders_agrees_with_clipped_counts_by_hand():
    # Papineni et al. 2002, section 2.1: the candidate of seven "the" has a clipped precision of 2/7.
    said, right = "the the the the the the the", "the cat is on the mat"
    assert bleu(said, [right], 1) == pytest.approx(2 / 7)
    assert brevity_penalty("the cat", [right]) == pytest.approx(math.exp(1 - 6 / 2))
    assert brevity_penalty(said, [right]) == 1.0


def test_rouge_tells_precision_recall_and_their_mean():
    one = answer("a cat sat", ["the cat sat down"])
    precision, recall = value("rouge-1-precision", one), value("rouge-1-recall", one)
    assert (precision, recall) == pytest.approx((2 / 3, 2 / 4))
    assert value("rouge-1-f", one) == pytest.approx(2 * precision * recall / (precision + recall))


def test_repetition_counts_phrases_that_came_before():
    assert repetition("on the red sofa and on the red sofa") == pytest.approx(1 / 6)
    assert repetition("one two three") is None


def test_distinct_counts_different_words():
    assert distinct("a a b", 1) == pytest.approx(2 / 3)
    assert distinct("", 1) is None


@pytest.mark.parametrize("text", ["Done.", 'He said "no."', "Really?!", "끝。", "well… "])
def test_a_finished_text_ends_as_sentences_do(text):
    assert is_finished(text) == 1.0


@pytest.mark.parametrize("text", ["and then the", "a cat,", "3.5", ""])
def test_an_unfinished_text_does_not(text):
    assert is_finished(text) == 0.0


def test_naming_wants_whole_words_side_by_side():
    assert names("A dark blue car.", ["blue car"]) == 1.0
    assert names("A bluish car.", ["blue"]) == 0.0
    assert names("blue and red car", ["blue car"]) == 0.0


def test_letters_are_judged_ranked_in_rotations_and_written():
    right = answer(task="mcq", rotations_right=4, generated="B", generated_letter="B")
    assert [value(name, right) for name in ("letter-right", "circular-right", "written-letter-right")] == [
        1,
        1,
        0,
    ]
    assert value("circular-right", answer(task="mcq")) is None
    assert value("no-letter", answer(task="mcq", generated="a dog")) == 1.0


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), right=st.lists(TEXT, min_size=1, max_size=3))
def test_every_value_is_a_number_within_the_span(measure, texts, right):
    values = measure.values([answer(text, right, generated=text) for text in texts])
    assert len(values) == len(texts)
    kept = [one for one in values if one is not None]
    assert all(math.isfinite(one) and one >= 0 for one in kept)
    assert measure.span is None or all(one <= measure.span + 1e-9 for one in kept)


@pytest.mark.parametrize(
    "name", ["exact-answer", "vqa-accuracy", "anls", "rouge-1-f", "rouge-l-recall", "named", "bleu-1"]
)
@given(words=st.lists(st.sampled_from(["red", "car", "dog"]), min_size=1, max_size=6))
def test_the_right_text_gets_all_there_is(name, words):
    text = " ".join(words)
    assert value(name, answer(text, ["something else", *[text] * 4])) == pytest.approx(1.0)


def test_an_answer_without_references_has_no_value_where_they_are_needed():
    assert value("anls", answer("a dog")) is None
    assert exact(" dog ", ["dog"]) == 1.0
