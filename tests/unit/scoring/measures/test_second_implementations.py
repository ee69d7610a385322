"""Measures agree with other people's code, or with what the papers themselves work out."""

import math
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nltk.metrics.distance import edit_distance
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from blip_core.scoring.measures.answers import anls, vqa_accuracy
from blip_core.scoring.measures.bleu import ORDERS, bleu, brevity_penalty
from blip_core.scoring.rouge import overlap
from tests.examples import examples

WORDS = st.lists(st.sampled_from(["a", "red", "car", "dog", "park", "in"]), min_size=1, max_size=9)
SHORT = st.text(alphabet="abc ", min_size=1, max_size=10).filter(str.strip)

# Papineni et al. 2002, section 2: two candidates and three references.
PARTY = (
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the command of the "
    "Party",
    "It is the practical guide for the army always to heed the directions of the party",
)
GUIDE = "It is a guide to action which ensures that the military always obeys the commands of the party"
INSURE = "It is to insure the troops forever hearing the activity guidebook that party direct"


@settings(max_examples=examples(60))
@given(said=WORDS, right=st.lists(WORDS, min_size=1, max_size=3), order=st.sampled_from(ORDERS))
def test_bleu_agrees_with_nltk(said, right, order):
    assume(len(said) >= order)  # of shorter texts orders are left out, which nltk does not do
    assume(set(said) & {word for one in right for word in one})  # without any match nltk gives 0 unsmoothed
    expected = sentence_bleu(right, said, [1 / order] * order, SmoothingFunction().method3)
    assert bleu(" ".join(said), [" ".join(one) for one in right], order) == pytest.approx(expected)


@pytest.mark.parametrize(("said", "shared", "words"), [(GUIDE, 17, 18), (INSURE, 8, 14)])
def test_bleu_1_is_what_the_paper_counts(said, shared, words):
    lower = [one.lower() for one in PARTY]
    found = bleu(said.lower(), lower, 1)
    assert found == pytest.approx(shared / words * brevity_penalty(said.lower(), lower))


@pytest.mark.parametrize(
    ("said", "longest", "pairs"),
    [("police kill the gunman", 3 / 4, 1 / 3), ("the gunman kill police", 2 / 4, 1 / 3)],
)
def test_rouge_is_what_the_paper_works_out(said, longest, pairs):
    # Lin 2004, section 3.1: against "police killed the gunman" ROUGE-L alone tells the two apart.
    found = overlap(said, ["police killed the gunman"])
    assert found["rougeL"].fmeasure == pytest.approx(longest)
    assert found["rouge2"].fmeasure == pytest.approx(pairs)


@settings(max_examples=examples(60))
@given(said=WORDS, right=WORDS, order=st.sampled_from([1, 2]))
def test_rouge_n_is_the_overlap_of_clipped_counts(said, right, order):
    mine, theirs = (Counter(zip(*(text[n:] for n in range(order)), strict=False)) for text in (said, right))
    shared = (mine & theirs).total()
    found = overlap(" ".join(said), [" ".join(right)])[f"rouge{order}"]
    assert found.precision == pytest.approx(shared / max(mine.total(), 1))
    assert found.recall == pytest.approx(shared / max(theirs.total(), 1))


@settings(max_examples=examples(60))
@given(people=st.lists(st.sampled_from(["red", "blue", "green"]), min_size=10, max_size=10))
def test_vqa_accuracy_averages_over_all_choices_of_nine_people(people):
    # Antol et al. 2015 and the evaluation code: min(agreeing / 3, 1), each person left out once.
    chosen = [min(1.0, nine.count("red") / 3) for nine in combinations(people, 9)]
    assert vqa_accuracy("red", people) == pytest.approx(sum(chosen) / len(chosen))


@settings(max_examples=examples(60))
@given(said=SHORT, right=SHORT)
def test_anls_agrees_with_the_edit_distance_of_nltk(said, right):
    one, other = (" ".join(text.split()) for text in (said, right))
    similar = 1 - edit_distance(one, other) / max(len(one), len(other))
    assert anls(said, [right]) == pytest.approx(similar if similar >= 0.5 else 0.0)


def test_anls_takes_the_nearest_answer_and_leaves_case_aside():
    assert anls("Coca cola", ["coca-cola", "pepsi"]) == pytest.approx(1 - 1 / 9)
    assert math.isclose(anls("PEPSI", ["pepsi"]), 1.0)
