"""Findings: declared comparisons of two variants by one measure, each with its test and what was expected.

A finding is decided by the interval of the difference, which resamples whole pictures, and by its p-value,
corrected over all findings of the recipe. Both have to agree.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from blip_core.errors import RecipeError
from blip_core.finite import check_finite
from blip_core.recipes.findings import ASKED, Expectation
from blip_core.recipes.findings import Finding as Declared
from blip_core.recipes.recipe import Recipe
from blip_core.scoring.accuracy import SIGNIFICANCE
from blip_core.scoring.bootstrap import RESAMPLES
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.measures import Measure, measure_named, measures_of
from blip_core.scoring.paired import compare_values

ByRow = dict[str, Measurement]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a declared comparison.

    Attributes:
        name: of the finding.
        a: variant that is measured against.
        b: variant that is measured.
        measure: that both were judged by.
        set: rows that both were judged on.
        difference: mean of `b` less mean of `a`, in the measure's unit.
        ci95: ends of its 95 % interval, whole pictures resampled.
        p_value: two-sided; exact McNemar for yes/no, else by flipping the signs of whole pictures.
        p_adjusted: after Holm's correction over all findings of the recipe.
        n: rows that both have a value for.
        clusters: pictures.
        test: how they were compared.
        expect: what was expected.
        margin: of the expectation.
        holds: whether that is what came out.
        words: what the measure says, for people.
    """

    name: str
    a: str
    b: str
    measure: str
    set: str
    difference: float
    ci95: tuple[float, float]
    p_value: float
    p_adjusted: float
    n: int
    clusters: int
    test: str
    expect: Expectation
    margin: float
    holds: bool
    words: str = ""

    def __post_init__(self) -> None:
        low, high = self.ci95
        told = {"difference": self.difference, "low end": low, "high end": high, "p": self.p_value}
        check_finite(f"finding {self.name}", told | {"adjusted p": self.p_adjusted})


def check_measures(recipe: Recipe) -> None:
    """Make sure that each finding's measure will have values, before any work is begun.

    Raises:
        RecipeError: One is unknown, judges other rows than the recipe has, or is not asked for.
    """
    for finding in recipe.findings:
        try:
            _check_measure(recipe, finding)
        except RecipeError as error:
            raise RecipeError(f"finding {finding.name}: {error}") from None


def _check_measure(recipe: Recipe, finding: Declared) -> None:
    measure = measure_named(finding.measure)
    recipe = recipe.of_set(finding.set)
    if not measure.judges(recipe.task):
        allowed = ", ".join(one.name for one in measures_of(recipe.task))
        raise RecipeError(f"{measure.name} does not judge rows of the task {recipe.task}; allowed: {allowed}")
    if not measure.needs:
        return
    if ASKED in finding.a + finding.b:
        raise RecipeError(f"{measure.name} is measured where everything is shown; leave {ASKED}MODE out")
    section, field = measure.needs.split(".")
    if not getattr(getattr(recipe, section), field):
        told = f"{measure.needs} names a model" if section == "judging" else f"{measure.needs} is true"
        raise RecipeError(f"{measure.name} is measured only where {told}; set it")


def find(
    declared: Sequence[Declared],
    measurements: Sequence[Measurement],
    own_set: str,
    seed: int = 0,
    draws: int = RESAMPLES,
) -> list[Finding]:
    """Decide every finding of a recipe, in order.

    Args:
        declared: what the recipe expects.
        measurements: of all variants.
        own_set: name of the rows that a finding without `set` means.
        seed: of the resampling.
        draws: see `compare_values`.

    Raises:
        RecipeError: A finding names a measure, set or variant that has no values on the same rows.
    """
    judged = Judged(measurements)
    return decide([compare_sides(one, judged, one.set or own_set, seed, draws) for one in declared])


def decide(found: Sequence[Finding]) -> list[Finding]:
    """Correct the p-values of all findings of a recipe for one another, and say which of them hold."""
    return [
        replace(one, p_adjusted=p, holds=holds(one, p, measure_named(one.measure)))
        for one, p in zip(found, adjusted([one.p_value for one in found]), strict=True)
    ]


def adjusted(p_values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction over all of them (Holm 1979), order kept."""
    from statsmodels.stats.multitest import multipletests

    if len(p_values) < 2:  # nothing to correct; the call costs half a second of garbage collection
        return list(p_values)
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def holds(finding: Finding, p: float, measure: Measure) -> bool:
    """Whether what was expected came out.

    Args:
        finding: its difference, interval, expectation and margin.
        p: to go by, after correction; `no_worse` goes by the interval alone.
        measure: says which way is worse.
    """
    low, high = finding.ci95
    if finding.expect == "no_worse":
        worst = -high if measure.better == "less" else low
        return worst >= -finding.margin
    if finding.expect == "at_least":
        return low >= finding.margin and p < SIGNIFICANCE
    beyond = low > finding.margin if finding.expect == "more" else high < -finding.margin
    return beyond and p < SIGNIFICANCE


class Judged:
    """Measurements by measure, variant and set, so that each is looked at once."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._values: dict[tuple[str, str, str], ByRow] = defaultdict(dict)
        for one in measurements:
            self._values[one.measure, one.variant, one.set][one.row] = one

    def of(self, measure: str, variant: str, rows: str) -> ByRow:
        """The values of one variant by row; empty where there are none."""
        return self._values.get((measure, variant, rows), {})

    def measures_of(self, variant: str, rows: str) -> list[str]:
        """What a variant was judged by on those rows."""
        return [measure for measure, *judged in self._values if judged == [variant, rows]]


def compare_sides(
    declared: Declared, judged: Judged, rows: str, seed: int = 0, draws: int = RESAMPLES
) -> Finding:
    """Compare the two sides of a finding on the rows that both have a value for; `decide` says what holds.

    Raises:
        RecipeError: There is no such row.
    """
    measure = measure_named(declared.measure)
    first, second = (_values(declared, judged, side, rows) for side in (declared.a, declared.b))
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise RecipeError(
            f"finding {declared.name}: {declared.a} and {declared.b} have no row in common with a value of "
            f"{declared.measure} on {rows}"
        )
    a, b = (np.array([side[row].value for row in shared]) for side in (first, second))
    pictures = [first[row].picture for row in shared]
    found = compare_values(a, b, pictures, measure.span, seed, draws)
    return Finding(
        name=declared.name,
        a=declared.a,
        b=declared.b,
        measure=declared.measure,
        set=rows,
        difference=found.difference,
        ci95=(found.low, found.high),
        p_value=found.p_value,
        p_adjusted=found.p_value,
        n=found.n,
        clusters=found.clusters,
        test=declared.test,
        expect=declared.expect,
        margin=declared.margin,
        holds=False,
        words=measure.words,
    )


def _values(declared: Declared, judged: Judged, variant: str, rows: str) -> Mapping[str, Measurement]:
    found = judged.of(declared.measure, variant, rows)
    if not found:
        known = ", ".join(judged.measures_of(variant, rows))
        raise RecipeError(
            f"finding {declared.name}: {variant} has no values of the measure {declared.measure} on {rows}; "
            f"allowed there: {known or 'none, for this variant was not judged on these rows'}"
        )
    return found
