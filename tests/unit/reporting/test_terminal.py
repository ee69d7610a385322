import io

import pytest
from rich.console import Console

from blip_core.reporting import POCKET_NOTE, Places, StageLines, show_ladder, show_places

COLUMNS = 120


@pytest.fixture
def log():
    return Console(file=io.StringIO(), width=COLUMNS, force_terminal=False)


def _text(console):
    return console.file.getvalue()


def test_a_log_gets_plain_lines_and_quarters_of_a_long_stage(log):
    lines = StageLines(log)
    lines.begin("pictures", cached=False)
    for done in range(1, 101):
        lines.progress(done, 100)
    lines.end("pictures", 12.34, cached=False, told={"rows": 98, "asked": 100, "refused": 2})
    shown = _text(log).splitlines()
    assert [line.split()[1:] for line in shown[:3]] == [[f"{n}/100", "pictures"] for n in (25, 50, 75)]
    assert " ".join(shown[3].split()) == "✓ pictures 12.3 s 98 pictures of 100 asked; 2 refused"
    assert "\x1b" not in _text(log)


def test_a_long_stage_tells_its_pace_and_the_time_that_is_left(log):
    seconds = iter(range(0, 1000, 2))
    lines = StageLines(log, clock=lambda: next(seconds))
    lines.begin("predict finetuned", cached=False)
    for done in range(0, 101, 10):
        lines.progress(done, 100)
    words = [" ".join(line.split()[2:]) for line in _text(log).splitlines()]
    assert words[1] == "50/100 rows · 5.0 rows/s · 10 s left"


def test_a_cached_stage_says_so_instead_of_its_seconds(log):
    lines = StageLines(log)
    lines.begin("scenes", cached=True)
    lines.end("scenes", 0.01, cached=True, told={"rows": 5})
    assert "cached" in _text(log)
    assert "0.0 s" not in _text(log)


def test_a_terminal_gets_a_bar_that_makes_way_for_the_line():
    console = Console(file=io.StringIO(), width=COLUMNS, force_terminal=True)
    lines = StageLines(console)
    lines.begin("pictures", cached=False)
    lines.progress(50, 100)
    lines.end("pictures", 1.0, cached=False, told={"rows": 100})
    assert "50/100 pictures" in _text(console)
    assert _text(console).rstrip().endswith("100 pictures of 100 asked")


def test_a_failed_stage_is_named(log):
    lines = StageLines(log)
    lines.begin("labels", cached=False)
    lines.fail("labels")
    assert _text(log).split() == ["✗", "labels", "failed"]


def test_the_ladder_shows_scores_differences_and_what_they_mean(log, ladder):
    show_ladder(log, ladder, POCKET_NOTE)
    table = _text(log).partition("finetuned is")[0].splitlines()
    rows = {line.split()[0]: line for line in table if line.strip()}
    assert "76.3 % (74.4–78.1)" in rows["finetuned"]
    assert "+5.1 (+3.0 to +7.2)" in rows["finetuned"]
    assert "< 0.001" in rows["finetuned"]
    assert rows["baseline"].split()[-1] == "%"
    assert "finetuned is better than flan-t5 by 5.1 points" in _text(log)
    assert "nothing about real photographs" in " ".join(_text(log).split())


def test_brackets_in_names_are_shown_as_they_are(log):
    show_places(log, Places("/data/[bold]x", "/data/adapter", "/data/sheet.png"))
    shown = _text(log).strip().splitlines()
    assert [line.split()[0] for line in shown] == ["dataset", "adapter", "pictures", "pages"]
    assert "/data/[bold]x" in shown[0]
    assert "foundry ui" in shown[3]


def test_the_page_of_a_run_that_has_one_is_named(log):
    show_places(log, Places("/data/d", "", "", report="/data/report.html"))
    assert "report    /data/report.html" in _text(log)
