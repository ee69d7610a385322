"""What people read of a finding: whether it holds, what was expected, what came."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from blip_core.reporting.findings import (
    expectation_of,
    findings_cells,
    sentence_of,
    show_findings,
)
from blip_core.reporting.markdown import run_note, run_page


def test_a_sentence_says_what_was_expected_and_what_came(finding):
    assert sentence_of(finding(), 2) == (
        "tuning-helps holds. Expected: finetuned has more than flan-t5: share of right letters, ranked. "
        "Found: +5.1 points (95 % +3.0 to +7.2), p < 0.001 adjusted for 2 findings, 2,000 rows."
    )


def test_a_finding_alone_is_adjusted_for_none(finding):
    said = sentence_of(finding(holds=False, p_adjusted=0.4), 1)
    assert said.startswith("tuning-helps does not hold. ")
    assert "p = 0.400, 2,000 rows" in said


@pytest.mark.parametrize(
    ("expect", "margin", "said"),
    [
        ("more", 0.0, "finetuned has more than flan-t5"),
        ("more", 0.02, "finetuned has over 2.0 points more than flan-t5"),
        ("less", 0.0, "finetuned has less than flan-t5"),
        ("no_worse", 0.0, "finetuned is no worse than flan-t5"),
        ("no_worse", 0.01, "finetuned is at most 1.0 points worse than flan-t5"),
        ("at_least", 0.05, "finetuned has at least 5.0 points more than flan-t5"),
    ],
)
def test_each_expectation_has_words_of_its_own(finding, expect, margin, said):
    assert expectation_of(finding(expect=expect, margin=margin)).startswith(f"{said}: ")


def test_a_measure_without_bounds_is_told_in_its_own_unit(finding):
    said = sentence_of(finding(measure="words", words="words", difference=1.5, ci95=(0.5, 2.5)), 1)
    assert "+1.50 (95 % +0.50 to +2.50)" in said


def test_the_terminal_shows_every_finding_with_a_mark(finding):
    console = Console(file=io.StringIO(), width=400)
    show_findings(console, [finding(), finding(name="description-helps", holds=False)])
    first, second = console.file.getvalue().splitlines()
    assert first.startswith("✓ tuning-helps holds.")
    assert second.startswith("✗ description-helps does not hold.")


def test_pages_show_findings_and_have_no_heading_without_any(summary, ladder, finding):
    with_findings = replace(summary, findings=(finding(),))
    for page in (run_note, run_page):
        assert "tuning-helps" in page(with_findings, ladder, {})
        assert "expected" not in page(summary, ladder, {})


def test_without_findings_there_is_no_table():
    assert findings_cells([]) == []
