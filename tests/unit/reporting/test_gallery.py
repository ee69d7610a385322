import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from blip_core.inference.flagging import MIN_MARGIN
from blip_core.reporting.gallery import (
    LOW_MARGIN,
    PICTURE_BYTES,
    SHOWN_ROWS,
    TEXT_CHARS,
    WRITTEN_CHARS,
    as_script_data,
    build_gallery,
    draw,
    outcome,
    pair_to_watch,
)
from tests.unit.judged_rows import CATEGORIES, KINDS, OUTCOMES, PICTURES, VARIANTS, judged_rows, outcome_of

PAIR = ("flan-t5", "finetuned")


def by_id(answers):
    return {name: {row.id: row for row in rows} for name, rows in answers.items()}


def outcomes(ids, answers):
    before, after = (by_id(answers)[name] for name in PAIR)
    return Counter(outcome(before[name], after[name]) for name in ids)


def rare_gains(count=600):
    """All right but for three that were gained, two lost and one wrong."""
    answers, examples = judged_rows(count)
    rows = dict.fromkeys(range(3), "gained") | {3: "lost", 4: "lost", 5: "wrong"}
    for name, good in (("flan-t5", ("right", "lost")), ("finetuned", ("right", "gained"))):
        for number, one in enumerate(answers[name]):
            is_right = rows.get(number, "right") in good
            answers[name][number] = replace(
                one, ranked=one.truth if is_right else "BCDA"["ABCD".index(one.truth)]
            )
    return answers, examples


def test_few_rows_are_all_shown_in_their_order():
    answers, examples = judged_rows(30)
    gallery = build_gallery(answers, examples)
    assert [row["id"] for row in gallery.data["rows"]] == [row.id for row in examples]
    assert (gallery.shown, gallery.total) == (30, 30)


def test_of_many_rows_a_bounded_number_is_drawn_as_many_of_each_outcome():
    answers, examples = judged_rows(1_000)
    gallery = build_gallery(answers, examples)
    ids = [row["id"] for row in gallery.data["rows"]]
    assert (gallery.shown, gallery.total, len(set(ids))) == (SHOWN_ROWS, 1_000, SHOWN_ROWS)
    assert outcomes(ids, answers) == dict.fromkeys(OUTCOMES, SHOWN_ROWS // 4)


def test_every_row_of_a_rare_outcome_is_drawn():
    answers, _ = rare_gains()
    drawn = draw(by_id(answers), PAIR)
    assert outcomes(drawn, answers) == {"gained": 3, "lost": 2, "wrong": 1, "right": SHOWN_ROWS - 6}


def test_kinds_categories_and_unsure_rows_are_all_among_the_drawn():
    answers, _ = judged_rows(1_000)
    after = by_id(answers)["finetuned"]
    drawn = [after[name] for name in draw(by_id(answers), PAIR)]
    assert {row.kind for row in drawn} == set(KINDS)
    assert {row.category for row in drawn} == set(CATEGORIES)
    assert {row.margin < LOW_MARGIN for row in drawn} == {True, False}


def test_a_margin_is_low_where_answers_are_flagged():
    assert LOW_MARGIN == MIN_MARGIN


def test_the_same_rows_are_drawn_whatever_their_order():
    answers, _ = judged_rows(1_000)
    shuffled = {name: random.Random(1).sample(rows, len(rows)) for name, rows in answers.items()}
    assert draw(by_id(answers), PAIR) == draw(by_id(shuffled), PAIR)


def test_every_picture_is_carried_once():
    data = build_gallery(*judged_rows(40)).data
    assert len(set(data["pictures"])) == len(data["pictures"]) == PICTURES
    assert {row["picture"] for row in data["rows"]} == set(range(PICTURES))


def test_a_row_tells_what_was_asked_and_what_each_variant_said():
    answers, examples = judged_rows(8)
    row = build_gallery(answers, examples).data["rows"][2]
    assert (row["question"], row["options"]) == (examples[2].question, list(examples[2].options))
    assert [one["chosen"] == row["truth"] for one in row["answers"]] == [False, False, True]
    assert outcome_of(2) == "gained"
    assert sum(row["answers"][0]["p"]) == pytest.approx(1, abs=0.01)


def test_long_texts_are_cut_and_many_of_them_leave_fewer_rows():
    few, examples = judged_rows(4, description="x" * 5_000)
    text = build_gallery(few, examples).data["rows"][0]["answers"][0]["description"]
    assert len(text) == TEXT_CHARS
    assert text.endswith("…")
    variants = [f"v{number}" for number in range(30)]
    many, examples = judged_rows(300, variants, description="x" * 5_000)
    gallery = build_gallery(many, examples)
    assert 0 < gallery.shown < SHOWN_ROWS
    assert gallery.shown * len(variants) * TEXT_CHARS <= WRITTEN_CHARS


def test_a_full_gallery_of_large_pictures_and_texts_stays_small(noisy_jpeg):
    answers, examples = judged_rows(2_080, description="d" * 300, generated="w" * 300)
    big = [replace(row, image=noisy_jpeg, picture_id=row.id) for row in examples[:300]]
    own = {name: [replace(row, picture_id=row.id) for row in rows[:300]] for name, rows in answers.items()}
    assert len(noisy_jpeg) > 10 * PICTURE_BYTES
    gallery = build_gallery(own, big)
    assert len(gallery.data["pictures"]) == SHOWN_ROWS
    assert len(as_script_data(gallery.data)) < 5_500_000


def test_rows_without_truth_have_an_outcome_of_their_own():
    answers, examples = judged_rows(10, truth="")
    assert {outcome(*pair) for pair in zip(answers["flan-t5"], answers["finetuned"], strict=True)} == {
        "unknown"
    }
    assert build_gallery(answers, examples).shown == 10


def test_a_row_whose_example_is_gone_is_shown_without_picture():
    answers, examples = judged_rows(4, VARIANTS[:1])
    row = build_gallery(answers, examples[1:]).data["rows"][0]
    assert (row["picture"], row["question"], row["options"]) == (None, "", [])


@pytest.mark.parametrize(
    ("names", "candidates", "pair"),
    [
        (VARIANTS, [("flan-t5", "finetuned")], ("flan-t5", "finetuned")),
        (("base", "tuned", "other"), [("base", "tuned")], ("base", "tuned")),
        (("a", "b", "c"), [("gone", "c")], ("b", "c")),
        (("alone",), [], ("alone", "alone")),
        ((), [], None),
    ],
)
def test_the_last_tuned_variant_is_held_against_its_base(names, candidates, pair):
    assert pair_to_watch(names, candidates) == pair


@pytest.mark.parametrize(
    "text", ["</script><b>", "<!--<script>", "a\u2028b\u2029c", "&lt;", '"\\', "Größe 犬"]
)
def test_any_text_comes_back_from_a_script_block_and_cannot_end_it(text):
    told = as_script_data({"text": text})
    assert json.loads(told) == {"text": text}
    assert not set("<>&\u2028\u2029") & set(told)
