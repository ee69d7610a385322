"""Gates that weigh rows against each other do so step by step: growth changes no verdict on earlier rows."""

import random
from collections import Counter

import pytest

from blip_core.curation.confidence import check_confidence
from blip_core.curation.letter_balance import balance_letters
from blip_core.curation.single_answers import check_answers
from blip_core.curation.steps import SCENES_PER_STEP, by_step
from blip_core.recipes.curation import Confidence, LetterBalance, SingleAnswers
from blip_core.records import LABEL_SCORE
from tasks.shards import ROWS_PER_SHARD
from tests.unit.examples import example

STEPS = 4


def lettered(weights=(5, 3, 2, 1), seed=7):
    draw = random.Random(seed)
    letters = draw.choices("ABCD", weights, k=STEPS * SCENES_PER_STEP)
    return [example(number, answer=letter) for number, letter in enumerate(letters)]


def answered(seed=7):
    draw = random.Random(seed)
    options = {"a": "", "b": "", "c": "", "d": "", "answer": "", "task": "vqa"}
    return [
        example(number, target=f"thing {int(draw.expovariate(0.05))}", **options)
        for number in range(STEPS * SCENES_PER_STEP)
    ]


def unsure(seed=7):
    draw = random.Random(seed)
    rows = range(STEPS * SCENES_PER_STEP)
    return [example(number, scores={LABEL_SCORE: -draw.random()}) for number in rows if number % 7]


@pytest.mark.parametrize(
    ("gate", "rows", "settings"),
    [
        (balance_letters, lettered(), LetterBalance(max_share=0.3)),
        (balance_letters, lettered((1, 1, 1, 40)), LetterBalance()),
        (check_answers, answered(), SingleAnswers(min_rows=4)),
        (check_confidence, unsure(), Confidence(enabled=True, refused_share=0.2)),
    ],
)
def test_what_comes_in_later_steps_changes_no_verdict_on_earlier_rows(gate, rows, settings):
    whole = gate(rows, settings)
    assert whole[1]  # it refuses some
    for steps in range(1, STEPS):
        there = [row for row in rows if int(row.group[-5:]) < steps * SCENES_PER_STEP]
        kept = gate(there, settings)[0]
        assert kept == [row for row in whole[0] if row in there]


def test_letters_are_balanced_over_all_steps_together():
    kept, _ = balance_letters(lettered(), LetterBalance(max_share=0.3))
    counts = Counter(row.answer for row in kept)
    assert max(counts.values()) <= 0.3 * counts.total() + 1


def test_a_step_is_what_is_made_at_once():
    assert SCENES_PER_STEP == ROWS_PER_SHARD


def test_rows_of_no_scene_are_weighed_together():
    rows = [example(number, scene="") for number in (0, 500)]
    assert by_step(rows) == [rows]
    named = example(0, group="a photo of mine")
    assert by_step([named, example(500)]) == [[named], [example(500)]]
