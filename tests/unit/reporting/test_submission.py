import csv
import io
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.errors import PlaceError
from blip_core.records import Example, Prediction, Rejection
from blip_core.reporting.submission import (
    FILES,
    PREDICTIONS,
    SCORES,
    SUBMISSION,
    Answered,
    answered_schema,
    check_out,
    csv_cell,
    is_formula,
    publish_answers,
    submission_rows,
    write_problems,
    write_submission,
)
from blip_core.store import write_rows


def answer(name, letter="B"):
    return Prediction(name, "p", "", "", "flan-t5", "", 0.1, 0.7, 0.1, 0.1, letter, "", "", "B")


def refusal(name, number, reason="empty-text"):
    return Rejection(name, "table", reason, f"row {number}: option C is empty")


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_refused_rows_keep_their_place_and_have_no_letter():
    answers = [answer("one", "A"), answer("three", "C"), answer("four", "D")]
    rows = submission_rows(answers, [refusal("two", 2), refusal("five", 5)])
    assert rows == [("one", "A"), ("two", ""), ("three", "C"), ("four", "D"), ("five", "")]


@pytest.mark.parametrize("numbers", [(1, 2), (3, 4), (1, 4)])
def test_refused_rows_may_stand_anywhere(numbers):
    rows = submission_rows([answer("a"), answer("b")], [refusal(f"r{n}", n) for n in numbers])
    assert [place for place, (_, letter) in enumerate(rows, start=1) if not letter] == list(numbers)


def test_an_id_that_comes_again_has_one_line_with_its_letter():
    assert submission_rows([answer("x", "A")], [refusal("x", 2, "repeated-id")]) == [("x", "A")]


def test_a_submission_has_one_line_a_row(tmp_path):
    write_submission(tmp_path / "s.csv", [("S-001", "A"), ("S-002", "")])
    assert (tmp_path / "s.csv").read_text() == "id,answer\nS-001,A\nS-002,\n"


def test_problems_tell_row_id_reason_and_detail(tmp_path):
    write_problems(tmp_path / "p.csv", [refusal("two", 2)])
    assert read_csv(tmp_path / "p.csv") == [
        ["row", "id", "reason", "detail"],
        ["2", "two", "empty-text", "row 2: option C is empty"],
    ]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "＝1", "-a"])
def test_a_formula_is_no_formula_any_more(text, tmp_path):
    write_submission(tmp_path / "s.csv", [(text, "A")])
    assert read_csv(tmp_path / "s.csv")[1] == [f"'{text}", "A"]


@pytest.mark.parametrize("text", ["-5", "+3.25", "S-001", "a=b", "photo (1).png", "Größe 7"])
def test_harmless_ids_stay_as_they_are(text, tmp_path):
    write_submission(tmp_path / "s.csv", [(text, "A")])
    assert read_csv(tmp_path / "s.csv")[1] == [text, "A"]


def test_a_formula_after_a_semicolon_stays_inside_its_cell():
    assert csv_cell("x;=1+1") == '"x;=1+1"'


@given(st.text())
def test_any_text_comes_back_from_csv_and_runs_nowhere(text):
    ((read, end),) = csv.reader(io.StringIO(f"{csv_cell(text)},end", newline=""), strict=True)
    assert read in (text, f"'{text}")
    assert end == "end"
    assert not is_formula(read)


@pytest.fixture
def example():
    return Example("one", "p", "p", "", "mcq", b"", "", "Which?", "w", "x", "y", "z", "B", "x", "")


def test_predictions_carry_their_question(example, tmp_path):
    row = Answered.of(example, answer("one"))
    write_rows(tmp_path / "p.parquet", [row], answered_schema(["mcq"]))
    (read,) = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert (read["question"], read["c"], read["ranked"], read["p_b"]) == ("Which?", "y", "B", 0.7)
    assert row.is_right
    assert not replace(row, ranked="A").is_right


def test_a_flag_of_the_picture_stands_beside_those_of_the_answer(example):
    low = replace(answer("one"), flags="low-margin")
    assert Answered.of(example, low, "first-of-several").flags == "low-margin first-of-several"
    assert Answered.of(example, answer("one"), "first-of-several").flags == "first-of-several"
    assert Answered.of(example, low).flags == "low-margin"


def writers(*names):
    return {name: lambda path: path.write_text(path.name) for name in names}


def test_a_new_or_empty_folder_is_fine(tmp_path):
    check_out(tmp_path / "new", overwrite=False)
    check_out(tmp_path, overwrite=False)
    assert publish_answers(tmp_path / "new", writers(*FILES)).keys() == set(FILES)


def test_answers_of_an_earlier_run_are_replaced_and_stale_scores_removed(tmp_path):
    publish_answers(tmp_path, writers(*FILES))
    check_out(tmp_path, overwrite=False)
    publish_answers(tmp_path, {PREDICTIONS: lambda path: path.write_text("again")})
    assert (tmp_path / PREDICTIONS).read_text() == "again"
    assert not (tmp_path / SCORES).exists()


@pytest.mark.parametrize("name", ["thesis.txt", SUBMISSION])
def test_files_of_somebody_else_are_not_touched_unasked(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(PlaceError, match=name):
        check_out(tmp_path, overwrite=False)
    check_out(tmp_path, overwrite=True)
    publish_answers(tmp_path, writers(PREDICTIONS))
    assert (tmp_path / "thesis.txt").exists() == (name == "thesis.txt")


def test_a_writer_that_fails_leaves_everything_as_it_was(tmp_path):
    publish_answers(tmp_path, writers(*FILES))

    def fail(path):
        path.write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        publish_answers(tmp_path, {**writers(PREDICTIONS), SUBMISSION: fail})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: name for name in FILES}


def test_what_a_killed_run_left_is_swept(tmp_path):
    (tmp_path / ".unfinished-x").mkdir()
    check_out(tmp_path, overwrite=False)
    publish_answers(tmp_path, writers(PREDICTIONS))
    assert [path.name for path in tmp_path.iterdir()] == [PREDICTIONS]


def test_a_file_is_no_folder_for_answers(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError, match="is a file"):
        check_out(tmp_path / "file", overwrite=False)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError, match="--out"):
        publish_answers(tmp_path / "file" / "below", writers(PREDICTIONS))
