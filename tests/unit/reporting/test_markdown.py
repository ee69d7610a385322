from dataclasses import replace

import pytest

from blip_core.reporting import AdapterSummary, ChampionSummary, Ladder
from blip_core.reporting.markdown import answers_markdown, answers_words, run_note, run_page, table

LINKS = {"Open the log": "http://127.0.0.1:4200/runs/flow-run/1", "Nowhere": ""}


def test_a_result_says_first_what_it_means_then_shows_the_ladder_with_intervals_and_p(ladder, summary):
    lines = run_note(summary, ladder, LINKS, note="These are pocket models.").splitlines()
    assert lines[0] == ladder.verdict  # a list of runs shows the beginning as it stands
    assert "| finetuned (n 2,000) | 76.3 % (74.4–78.1) |" in "\n".join(lines)
    assert "+5.1 (+3.0 to +7.2) | < 0.001 |" in "\n".join(lines)
    assert "These are pocket models." in lines


def test_a_result_says_where_everything_lies(ladder, summary):
    adapter = AdapterSummary(
        "/data/adapter",
        "a" * 64,
        {"first_loss": 2.0, "last_loss": 0.5, "steps": 9, "best_validation_loss": 0.4},
    )
    text = run_note(replace(summary, adapter=adapter), ladder, LINKS)
    assert "train 300, validation 40, test 40; refused 3 duplicate" in text
    assert "loss 2.00 to 0.50 in 9 steps, best validation loss 0.400" in text
    assert all(f"`{path}`" in text for path in ("/data/gallery", "/data/adapter", "/data/report.html"))
    assert "[Open the log](http://127.0.0.1:4200/runs/flow-run/1)" in text
    assert "Nowhere" not in text


def test_the_long_form_adds_every_comparison_and_other_ways_of_asking(ladder, summary):
    text = run_page(summary, ladder, {})
    assert "| finetuned | baseline | +50.1 (+47.0 to +53.0) |" in text
    assert "| flan-t5 (n 2,000) | 70.0 % | 0.0 % |" in text
    assert "other ways" not in run_page(summary, Ladder([ladder.rungs[-1]], []), {})


def test_the_picture_is_shown_where_it_can_be_reached(ladder, summary):
    assert "![the ladder](http://m/ladder.png)" in run_page(
        summary, ladder, {}, picture="http://m/ladder.png"
    )
    assert "![" not in run_page(summary, ladder, {})


def test_a_champion_is_told_with_its_reasons(ladder, summary):
    crowned = replace(summary, champion=ChampionSummary(True, ("It won by 5.1 points.",)))
    assert "This adapter becomes the champion. It won by 5.1 points." in run_note(crowned, ladder, {})


def test_a_run_that_only_grew_a_dataset_shows_that_alone(summary):
    bare = replace(summary, variants={}, comparisons=(), adapter=None, report="")
    text = run_note(bare, Ladder([], []), {}, note="Of scores.")
    assert text.startswith("- dataset: train 300")
    assert "Of scores" not in text


@pytest.mark.parametrize("cell", ["a|b", "|", "a | b"])
def test_a_bar_in_a_cell_opens_no_column(cell):
    assert table([["one"], [cell]]).splitlines()[-1].replace("\\|", "").count("|") == 2


def test_a_table_without_rows_is_empty():
    assert table([]) == ""


@pytest.fixture
def answered():
    return {
        "variant": "finetuned",
        "answered": 98,
        "rows": 100,
        "refused": {"no-picture": 2},
        "scores": {"accuracy": {"value": 0.75, "low": 0.6, "high": 0.85, "n": 90}},
        "note": "These are pocket models.",
        "files": {"submission": "/out/submission.csv"},
    }


def test_answers_are_told_with_their_interval_and_what_was_refused(answered):
    text = answers_markdown(answered, LINKS)
    assert answers_words(answered) == (
        "finetuned answered 98 of 100 rows; 75.0 % of those whose answer is known are right "
        "(95 % interval 60.0 to 85.0, n 90)."
    )
    assert "| no-picture | 2 |" in text
    assert "submission: `/out/submission.csv`" in text


def test_answers_that_nobody_can_judge_have_no_score(answered):
    text = answers_markdown(answered | {"scores": None, "refused": {}}, {})
    assert text.startswith("finetuned answered 98 of 100 rows.\n")
    assert "pocket models" not in text
    assert "refused" not in text
