import io

import pytest
from rich.console import Console

from blip_core.reporting.answers import show_answers, show_table, show_usable


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=80)


def said(console):
    return console.file.getvalue()


def summary(**changes):
    return {
        "rows": 5,
        "answered": 3,
        "refused": {"empty-text": 2},
        "variant": "flan-t5",
        "scores": None,
        "note": "Pocket models.",
        "escaped_ids": 0,
        "files": {"submission": "/out/submission.csv"},
        **changes,
    }


def test_the_guess_and_the_usable_rows_are_told(console):
    show_table(console, "CSV in cp949", "image='photo [b]'", "read as letters of options", [])
    show_usable(console, 1200, {"empty-text": 2, "repeated-id": 1}, {"first-of-several": 4})
    assert "image='photo [b]'" in said(console)
    assert "answers     read as letters of options\n" in said(console)
    assert "not used" not in said(console)
    assert "1,200 can be used; 4 first-of-several; refused 2 empty-text, 1 repeated-id" in said(console)


def test_columns_that_nothing_uses_are_named_and_so_is_what_to_beware_of(console):
    names = ["split [x]", *(f"column {number}" for number in range(30))]
    show_table(console, "XLSX", "", "none", names, ["the hint has no place"])
    assert "not used    'split [x]', 'column 0'," in said(console)
    assert "and 19 more" in said(console)
    assert "beware      the hint has no place" in said(console)


def test_without_right_answers_no_score_is_told(console):
    show_answers(console, summary())
    assert "3 of 5 rows by flan-t5; refused 2 empty-text" in said(console)
    assert "/out/submission.csv" in said(console)
    assert "accuracy" not in said(console)


def test_scores_are_told_with_their_interval_and_by_letter(console):
    accuracy = {"value": 0.5, "low": 0.21, "high": 0.79, "n": 8}
    scores = {
        "accuracy": accuracy,
        "free_generation": {"accuracy": 0.25, "invalid": 0.125},
        "by_kind": {"arrow": accuracy},
        "by_category": {},
        "per_letter": {letter: {"chosen": 2, "right": 2, "recall": 0.5} for letter in "ABC"}
        | {"D": {"chosen": 2, "right": 0, "recall": None}},
    }
    show_answers(console, summary(scores=scores))
    told = said(console)
    assert "50.0 % (95 % interval 21.0 % to 79.0 %; n 8)" in told
    assert "arrow: 50.0 %" in told
    assert "12.5 % name no letter" in told
    assert "Pocket models." in told


def test_what_was_asked_for_besides_is_told(console):
    share = {"value": 0.5, "low": 0.21, "high": 0.79, "n": 8}
    scores = {
        "accuracy": share,
        "circular": share | {"value": 0.25},
        "calibration": {"ece": 0.124, "brier": 0.61, "bins": []},
        "ablations": {"blind": share | {"value": 0.375}},
        "by_kind": {},
        "by_category": {},
        "per_letter": {},
    }
    show_answers(console, summary(scores=scores))
    told = {line.split()[0]: line for line in said(console).splitlines() if line.strip()}
    assert "25.0 % (95 % interval 21.0 % to 79.0 %; n 8) right in every rotation" in told["circular"]
    assert "12.4 points off on average (expected calibration error); Brier score 0.61" in told["calibration"]
    assert "37.5 %" in told["blind"]


def test_changed_ids_are_told(console):
    show_answers(console, summary(escaped_ids=2))
    assert "2 ids begin like a formula" in said(console)


def test_texts_are_told_by_their_measures_and_not_by_letter(console):
    from blip_core.reporting.markdown import answers_words

    scores = {
        "measure": {"name": "vqa-accuracy", "words": "VQA accuracy", "span": 1.0},
        "main": {"value": 0.75, "low": 0.6, "high": 0.9, "n": 40},
        "measures": {"vqa-accuracy": 0.75, "words": 1.5},
        "by_kind": {},
        "by_category": {"food": {"value": 0.5, "low": 0.2, "high": 0.8, "n": 10}},
    }
    show_answers(console, summary(scores=scores))
    assert "VQA accuracy 0.750 (95 % interval 0.600 to 0.900; n 40)" in said(console)
    assert "food: 0.500 (n 10)" in said(console)
    assert "letter" not in said(console)
    assert "VQA accuracy 0.750" in answers_words(summary(scores=scores))
