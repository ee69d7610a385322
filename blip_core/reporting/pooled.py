"""Several seeds of one recipe, side by side: each finding in every seed and pooled, each variant's scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blip_core import strict_json
from blip_core.reporting.findings import amount, difference_of, expectation_of, verdict_of
from blip_core.reporting.summary import Summary
from blip_core.reporting.words import p_words
from blip_core.scoring.findings import Finding
from blip_core.scoring.measures import measure_named
from blip_core.scoring.pooling import METHOD, PooledFinding

_MARKS = {True: "✓", False: "✗"}
_ABSENT = "–"


@dataclass(frozen=True, slots=True)
class PooledVariant:
    """What one variant scored in every seed, by the measure that variants are ranked by.

    Attributes:
        measure: its name.
        values: in the order of the seeds, in the measure's own unit; None where a seed has no score.
        mean: of those there are.
        spread: their standard deviation; None of fewer than two.
    """

    measure: str
    values: tuple[float | None, ...]
    mean: float
    spread: float | None


@dataclass(frozen=True, slots=True)
class Pooled:
    """A recipe under several seeds.

    Attributes:
        recipe: name of it.
        profile: under which it ran.
        seeds: in their order.
        runs: what each seed's run hands to programs.
        findings: of the recipe, in its order.
        variants: by name.
    """

    recipe: str
    profile: str
    seeds: tuple[int, ...]
    runs: tuple[Summary, ...]
    findings: tuple[PooledFinding, ...]
    variants: Mapping[str, PooledVariant]

    def to_dict(self) -> dict[str, Any]:
        """The object as JSON values."""
        told = {
            "recipe": self.recipe,
            "profile": self.profile,
            "seeds": list(self.seeds),
            "method": METHOD,
            "findings": [{**asdict(one), "holding": one.holding} for one in self.findings],
            "variants": {name: asdict(one) for name, one in self.variants.items()},
            "runs": [run.to_dict() for run in self.runs],
        }
        values: dict[str, Any] = strict_json.loads(strict_json.dumps(told))
        return values

    def metrics(self) -> dict[str, float]:
        """Its figures under the names that MLflow shows."""
        told: dict[str, float] = {}
        for one in self.findings:
            low, high = one.pooled.ci95
            name = f"pooled/{one.name}"
            told |= {f"{name}/difference": one.pooled.difference, f"{name}/low": low, f"{name}/high": high}
            told |= {f"{name}/p_adjusted": one.pooled.p_adjusted, f"{name}/holding": float(one.holding)}
        return told | {f"mean/{name}": one.mean for name, one in self.variants.items()}


def pooled_variants(runs: Sequence[Summary]) -> dict[str, PooledVariant]:
    """The scores of every variant over the runs of several seeds."""
    names = dict.fromkeys(name for run in runs for name in run.variants)
    return {name: found for name in names if (found := _variant(name, runs))}


def _variant(name: str, runs: Sequence[Summary]) -> PooledVariant | None:
    told = [run.variants.get(name) for run in runs]
    values = tuple(one.value if one else None for one in told)
    known = [value for value in values if value is not None]
    measure = next((one.measure for one in told if one), "")
    if not known:
        return None
    return PooledVariant(measure, values, fmean(known), stdev(known) if len(known) > 1 else None)


def pooled_sentences(pooled: Pooled) -> list[str]:
    """Each finding in a sentence or two, with a mark in front: pooled, then in how many seeds it holds."""
    return [_sentence(one, len(pooled.findings)) for one in pooled.findings]


def show_pooled(console: Console, pooled: Pooled) -> None:
    """Print each finding in every seed and pooled, and what variants scored in every seed."""
    seeds = [f"seed {seed}" for seed in pooled.seeds]
    console.print()
    if pooled.findings:
        console.print(_table(["finding", *seeds, "pooled", "p adj."], map(_finding, pooled.findings)))
    if pooled.variants:
        console.print(_table(["variant", *seeds, "mean", "spread"], map(_score, pooled.variants.items())))
    for sentence in pooled_sentences(pooled):
        console.print(escape(sentence), highlight=False)
    if not pooled.findings:
        console.print("The recipe declares no findings, so that there is nothing to pool.", highlight=False)


def _table(headings: Sequence[str], rows: Any) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=bool(place), overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _finding(one: PooledFinding) -> list[str]:
    pooled = one.pooled
    return [
        one.name,
        *map(_cell, one.by_seed),
        _cell(pooled),
        p_words(pooled.p_adjusted),
    ]


def _cell(finding: Finding) -> str:
    """Its difference; the interval stands in the sentence below, where there is room."""
    return f"{_MARKS[finding.holds]} {amount(finding, finding.difference).replace(' points', '')}"


def _score(named: tuple[str, PooledVariant]) -> list[str]:
    name, one = named
    told = [_value(one.measure, value) for value in (*one.values, one.mean, one.spread)]
    return [f"{name} ({one.measure})", *told]


def _value(measure: str, value: float | None) -> str:
    if value is None:
        return _ABSENT
    return f"{value:.2f}" if measure_named(measure).span is None else f"{100 * value:.1f}"


def _sentence(one: PooledFinding, family: int) -> str:
    pooled = one.pooled
    corrected = f" adjusted for {family} findings" if family > 1 else ""
    value = p_words(pooled.p_adjusted)
    p = f"p {value}" if value.startswith("<") else f"p = {value}"
    spread = f", seeds spread by {amount(pooled, one.spread).lstrip('+')}" if one.spread is not None else ""
    return (
        f"{_MARKS[pooled.holds]} {one.name} {verdict_of(pooled)} pooled, and in {one.holding} of "
        f"{len(one.by_seed)} seeds. Expected: {expectation_of(pooled)}. Found: {difference_of(pooled)}, "
        f"{p}{corrected}, {pooled.n:,} rows{spread}."
    )
