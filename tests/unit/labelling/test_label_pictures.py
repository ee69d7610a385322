from itertools import repeat

import pytest
from PIL import Image

from blip_core.backends.scripted import ScriptedLabeller
from blip_core.errors import StageFailure, TableError
from blip_core.kinds.four_options import format_label
from blip_core.kinds.label_text import ParsedLabel
from blip_core.labelling import ENOUGH_TO_JUDGE, label_pictures
from blip_core.painting import encode_png
from blip_core.recipes.labels import Labels
from blip_core.records import Picture

PNG = encode_png(Image.new("RGB", (8, 8), (1, 2, 3)))
BAD = "I see a dog."


def settings(**changes):
    return Labels(**{"prompt": "<image> Label this.", "retries": 2, "batch_size": 2} | changes)


def pictures(count, png=PNG):
    return [Picture(f"n-{i:05d}-p0", f"n-{i:05d}", "n", "A dog.", 0, png, "", 8, 8) for i in range(count)]


def text(question="What is this?"):
    return format_label(ParsedLabel("A dog.", question, ("dog", "cat", "bird", "fish"), "A"))


def test_a_label_knows_its_picture_and_its_right_text():
    labels, rejections = label_pictures(ScriptedLabeller([text()]), pictures(1), settings(), seed=0)
    label = labels[0]
    assert (label.id, label.picture_id, label.attempt) == ("n-00000-p0-q0", "n-00000-p0", 0)
    assert label.options["ABCD".index(label.answer)] == "dog"
    assert rejections == []


def test_only_failed_rows_are_tried_again_together_and_under_new_seeds():
    labeller = ScriptedLabeller([text(), BAD, BAD, text(), text(), BAD, text()])
    labels, rejections = label_pictures(labeller, pictures(4), settings(), seed=0)
    assert [(label.id[:7], label.attempt) for label in labels] == [
        ("n-00000", 0),
        ("n-00001", 1),
        ("n-00002", 2),
        ("n-00003", 0),
    ]
    assert rejections == []
    assert len({seed for _, seed in labeller.calls}) == 7


def test_a_row_that_never_parses_is_rejected_with_the_last_reason():
    labeller = ScriptedLabeller([BAD, text().replace("dog", "cat"), text().removesuffix("A")])
    labels, rejections = label_pictures(labeller, pictures(1), settings(), seed=0)
    assert labels == []
    assert [(row.id, row.stage, row.reason) for row in rejections] == [
        ("n-00000-p0-q0", "labels", "missing-answer")
    ]


def test_questions_about_one_picture_differ():
    labeller = ScriptedLabeller([text(), text(), text("How many?")])
    labels, _ = label_pictures(labeller, pictures(1), settings(per_picture=2), seed=0)
    assert [(label.id, label.question) for label in labels] == [
        ("n-00000-p0-q0", "What is this?"),
        ("n-00000-p0-q1", "How many?"),
    ]


def test_a_question_that_keeps_coming_back_is_rejected():
    labels, rejections = label_pictures(
        ScriptedLabeller(repeat(text())), pictures(1), settings(per_picture=2), seed=0
    )
    assert len(labels) == 1
    assert [row.reason for row in rejections] == ["repeated-question"]


def test_two_pictures_may_be_asked_the_same():
    labels, _ = label_pictures(ScriptedLabeller(repeat(text())), pictures(2), settings(), seed=0)
    assert len(labels) == 2


def test_seeds_depend_on_the_row_alone():
    whole, part = ScriptedLabeller(repeat(text())), ScriptedLabeller(repeat(text()))
    all_labels, _ = label_pictures(whole, pictures(3), settings(), seed=3)
    last_label, _ = label_pictures(part, pictures(3)[2:], settings(), seed=3)
    assert all_labels[2] == last_label[0]
    assert whole.calls[2] == part.calls[0]


def test_a_labeller_that_never_parses_stops_the_stage_after_one_pass():
    labeller = ScriptedLabeller(repeat(BAD))
    with pytest.raises(StageFailure, match=r"0 of 20 rows: missing-description 20.*I see a dog"):
        label_pictures(labeller, pictures(ENOUGH_TO_JUDGE), settings(), seed=0)
    assert len(labeller.calls) == ENOUGH_TO_JUDGE


def test_a_damaged_picture_is_named():
    with pytest.raises(TableError, match="n-00000-p0"):
        label_pictures(ScriptedLabeller([]), pictures(1, png=PNG[:40]), settings(), seed=0)


def test_progress_counts_rows():
    seen = []
    labeller = ScriptedLabeller(repeat(text()))
    label_pictures(labeller, pictures(3), settings(), 0, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
