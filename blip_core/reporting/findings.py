"""Findings in plain words: what was expected, what came, whether it holds."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from blip_core.recipes.evaluation import EVALUATION_KINDS
from blip_core.reporting.words import p_words
from blip_core.scoring import Finding
from blip_core.scoring.measures import measure_named

HOLDS, FAILS = "holds", "does not hold"

_EXPECTED = {
    "more": "{b} has more than {a}",
    "less": "{b} has less than {a}",
    "no_worse": "{b} is no worse than {a}",
    "at_least": "{b} has at least {margin} more than {a}",
}
_WITH_MARGIN = {
    "more": "{b} has over {margin} more than {a}",
    "less": "{b} has over {margin} less than {a}",
    "no_worse": "{b} is at most {margin} worse than {a}",
    "at_least": _EXPECTED["at_least"],
}


def verdict_of(finding: Finding) -> str:
    """Whether a finding holds, in a word or three."""
    return HOLDS if finding.holds else FAILS


def expectation_of(finding: Finding) -> str:
    """What was expected, such as `finetuned has more than flan-t5: share of right letters, ranked`."""
    phrases = _WITH_MARGIN if finding.margin else _EXPECTED
    margin = amount(finding, finding.margin).lstrip("+")
    told = phrases[finding.expect].format(a=finding.a, b=finding.b, margin=margin)
    rows = "" if finding.set in EVALUATION_KINDS else f", on the rows of {finding.set}"
    return f"{told}{rows}: {finding.words or finding.measure}"


def difference_of(finding: Finding) -> str:
    """What came, such as `+12.3 points (95 % +10.1 to +14.5)`."""
    low, high = (amount(finding, end).removesuffix(" points") for end in finding.ci95)
    return f"{amount(finding, finding.difference)} (95 % {low} to {high})"


def sentence_of(finding: Finding, family: int) -> str:
    """All of a finding in a line or two.

    Args:
        finding: what came of it.
        family: findings of the recipe, which its p-value was corrected for.
    """
    corrected = f" adjusted for {family} findings" if family > 1 else ""
    value = p_words(finding.p_adjusted)
    p = f"p {value}" if value.startswith("<") else f"p = {value}"
    found = f"{difference_of(finding)}, {p}{corrected}, {finding.n:,} rows"
    return f"{finding.name} {verdict_of(finding)}. Expected: {expectation_of(finding)}. Found: {found}."


def amount(finding: Finding, value: float) -> str:
    """A difference with its sign: in points where the measure has bounds, else in its own unit."""
    if measure_named(finding.measure).span is None:
        return f"{value:+.2f}"
    return f"{100 * value:+.1f} points"


def findings_cells(findings: Sequence[Finding]) -> list[list[str]]:
    """Findings as texts, a line each, their heading first; empty without any."""
    if not findings:
        return []
    heading = ["finding", "holds", "expected", "found", "p adj.", "rows"]
    return [
        heading,
        *(
            [
                one.name,
                "yes" if one.holds else "no",
                expectation_of(one),
                difference_of(one),
                p_words(one.p_adjusted),
                f"{one.n:,}",
            ]
            for one in findings
        ),
    ]


def finding_sentences(findings: Sequence[Finding]) -> list[str]:
    """Each finding with a mark in front."""
    return [f"{'✓' if one.holds else '✗'} {sentence_of(one, len(findings))}" for one in findings]


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print each finding in a sentence or two."""
    for sentence in finding_sentences(findings):
        console.print(escape(sentence), highlight=False)
