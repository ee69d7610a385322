"""What every kind of task keeps, and where the kinds differ."""

import pytest

from blip_core.errors import RecipeError
from blip_core.kinds import KINDS, kind_of
from tests.unit.examples import example

EMPTY = {"a": "", "b": "", "c": "", "d": "", "answer": ""}


def row(task, **changes):
    texts = {"caption": EMPTY | {"question": ""}, "vqa": EMPTY, "mcq": {}}[task]
    return example(1, task=task, **texts | changes)


@pytest.mark.parametrize("task", KINDS)
def test_a_whole_row_lacks_nothing_and_teaches_its_answer(task):
    kind, whole = KINDS[task], row(task)
    assert kind.empty_field(whole) == ""
    assert kind.learnt(whole) == kind.answer(whole) != ""


@pytest.mark.parametrize("task", KINDS)
def test_a_row_without_its_target_lacks_it(task):
    assert KINDS[task].empty_field(row(task, target=" ")) == "target"


@pytest.mark.parametrize(("task", "lacks"), [("mcq", "question"), ("vqa", "question"), ("caption", "")])
def test_what_asks_needs_a_question(task, lacks):
    assert KINDS[task].empty_field(row(task, question="")) == lacks


def test_options_in_front_of_a_written_one_must_be_there():
    assert KINDS["mcq"].empty_field(row("mcq", b="")) == "B"
    assert KINDS["mcq"].empty_field(row("mcq", c="", d="")) == ""


def test_a_letter_without_option_teaches_nothing():
    assert KINDS["mcq"].learnt(row("mcq", answer="E")) == ""


def test_one_letter_for_all_rows_teaches_nothing_but_one_text_does():
    assert "is B" in KINDS["mcq"].nothing_to_learn([row("mcq", answer="B")] * 3)
    assert KINDS["vqa"].nothing_to_learn([row("vqa")] * 3) == ""


def test_captions_are_described_and_told_apart_by_their_target():
    caption = row("caption", target="a red bus", description="")
    assert KINDS["caption"].described(caption) == KINDS["caption"].asked(caption) == "a red bus"


def test_an_unknown_task_is_refused_with_those_that_are_known():
    with pytest.raises(RecipeError, match="'mcqs'; allowed: caption, mcq, vqa"):
        kind_of("mcqs")


@pytest.mark.parametrize(
    ("task", "told"), [("mcq", {}), ("caption", {"kind": "caption"}), ("vqa", {"kind": "vqa"})]
)
def test_how_labels_are_read_is_told_for_their_key_and_questions_with_options_keep_theirs(task, told):
    assert KINDS[task].label_identity == told
