from dataclasses import replace

import pytest

from blip_core.errors import EmptyDataset, StageFailure, TrainingFailure
from blip_core.records import Rejection
from blip_core.training.inputs import check_examples, quarantine
from tests.tiny_blip2 import MakeExamples


def unreadable(id_: str) -> Rejection:
    return Rejection(id_, "finetune", "unreadable-picture", "cut short")


def test_rows_with_answers_of_several_letters_are_learnt(make_examples: MakeExamples) -> None:
    rows = make_examples(8)
    check_examples(rows[:6], rows[6:])
    check_examples(rows, [])


def test_no_rows_are_refused(make_examples: MakeExamples) -> None:
    with pytest.raises(EmptyDataset, match="no rows are left"):
        check_examples([], make_examples(2))


@pytest.mark.parametrize("answer", ["", "E", "AB"])
def test_rows_without_an_answer_are_named(make_examples: MakeExamples, answer: str) -> None:
    rows = make_examples(8)
    rows[3] = replace(rows[3], answer=answer)
    with pytest.raises(TrainingFailure, match=f"1 rows have no answer to learn: {rows[3].id};"):
        check_examples(rows, [])
    with pytest.raises(TrainingFailure, match=rows[3].id):
        check_examples(make_examples(2), rows)


def test_only_a_few_of_many_unanswered_rows_are_named(make_examples: MakeExamples) -> None:
    rows = [replace(row, answer="") for row in make_examples(9)]
    with pytest.raises(TrainingFailure, match=r"9 rows have no answer.*, 4 more;"):
        check_examples(rows, [])


def test_a_text_to_learn_must_not_be_blank(make_examples: MakeExamples) -> None:
    rows = [
        replace(row, task="caption", answer="", target=target)
        for row, target in zip(make_examples(2), ("a dog", " "), strict=True)
    ]
    check_examples(rows[:1], [])
    with pytest.raises(TrainingFailure, match=rows[1].id):
        check_examples(rows, [])


def test_one_letter_for_all_rows_is_nothing_to_learn(make_examples: MakeExamples) -> None:
    rows = [replace(row, answer="C") for row in make_examples(6)]
    with pytest.raises(TrainingFailure, match="answer of all 6 rows to train on is C"):
        check_examples(rows, make_examples(4))


def test_an_unreadable_picture_goes_with_all_questions_about_it(make_examples: MakeExamples) -> None:
    rows = make_examples(200)
    kept = quarantine(rows, [unreadable(rows[4].id)])
    assert [row.id for row in kept] == [row.id for row in rows if row.picture_id != rows[4].picture_id]
    assert quarantine(rows, [unreadable(rows[4].picture_id)]) == kept
    assert quarantine(rows, []) == rows


def test_more_than_two_in_a_hundred_stop_the_stage(make_examples: MakeExamples) -> None:
    rows = make_examples(200)
    two, three = ([unreadable(rows[2 * at].id) for at in range(count)] for count in (2, 3))
    assert len(quarantine(rows, two)) == 196
    with pytest.raises(
        StageFailure, match=r"3 of 100 pictures cannot be read.*2%.*park-00000-p0-q0 \(cut short\)"
    ):
        quarantine(rows, three)
