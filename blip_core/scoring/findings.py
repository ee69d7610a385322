"""Findings: declared comparisons of two variants by one measure, each with its test and what was expected.

A finding is decided by the interval of the difference, which resamples whole pictures, and by its p-value,
corrected over all findings of the recipe. Both have to agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blip_core.errors import RecipeError
from blip_core.finite import check_finite
from blip_core.recipes.findings import ASKED, Expectation
from blip_core.recipes.findings import Finding as Declared
from blip_core.recipes.recipe import Recipe
from blip_core.scoring.accuracy import SIGNIFICANCE
from blip_core.scoring.bootstrap import clustered_interval
from blip_core.scoring.comparison import mcnemar_p
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.measures import Measure, measure_named, measures_of

FLIPS = 10_000  # of signs; a p-value below 1 / FLIPS is not told apart from it

Floats = NDArray[np.float64]


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
    if not measure.judges(recipe.task):
        allowed = ", ".join(one.name for one in measures_of(recipe.task))
        raise RecipeError(f"{measure.name} does not judge rows of the task {recipe.task}; allowed: {allowed}")
    if not measure.needs:
        return
    if ASKED in finding.a + finding.b:
        raise RecipeError(f"{measure.name} is measured where everything is shown; leave {ASKED}MODE out")
    section, field = measure.needs.split(".")
    if not getattr(getattr(recipe, section), field):
        raise RecipeError(f"{measure.name} is measured only where {measure.needs} is true; set it")


def find(
    declared: Sequence[Declared],
    measurements: Sequence[Measurement],
    measures: Mapping[str, Measure],
    own_set: str,
    seed: int = 0,
) -> list[Finding]:
    """Decide every finding of a recipe, in order.

    Args:
        declared: what the recipe expects.
        measurements: of all variants.
        measures: by name; says whether more is better.
        own_set: name of the rows that a finding without `set` means.
        seed: of the resampling.

    Raises:
        RecipeError: A finding names a measure, set or variant that has no values on the same rows.
    """
    found = [_compare(one, measurements, measures, one.set or own_set, seed) for one in declared]
    return [
        replace(one, p_adjusted=p, holds=_holds(one, p, measures[one.measure]))
        for one, p in zip(found, adjusted([one.p_value for one in found]), strict=True)
    ]


def adjusted(p_values: Sequence[float]) -> list[float]:
    """p-values after Holm's correction over all of them (Holm 1979), order kept."""
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def _compare(
    declared: Declared,
    measurements: Sequence[Measurement],
    measures: Mapping[str, Measure],
    rows: str,
    seed: int,
) -> Finding:
    first = _values(declared, measurements, declared.a, rows)
    second = _values(declared, measurements, declared.b, rows)
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise RecipeError(
            f"finding {declared.name}: {declared.a} and {declared.b} have no row in common with a value of "
            f"{declared.measure} on {rows}"
        )
    a = np.array([first[row].value for row in shared])
    b = np.array([second[row].value for row in shared])
    pictures = [first[row].picture for row in shared]
    low, high, clusters = clustered_interval(b - a, pictures, seed)
    if clusters == 1:
        low, high = _unknown(measures[declared.measure], b - a)
    p = paired_p(a, b, pictures, seed)
    return Finding(
        name=declared.name,
        a=declared.a,
        b=declared.b,
        measure=declared.measure,
        set=rows,
        difference=float(np.mean(b - a)),
        ci95=(low, high),
        p_value=p,
        p_adjusted=p,
        n=len(shared),
        clusters=clusters,
        test=declared.test,
        expect=declared.expect,
        margin=declared.margin,
        holds=False,
    )


def _values(
    declared: Declared, measurements: Sequence[Measurement], variant: str, rows: str
) -> dict[str, Measurement]:
    wanted = declared.measure, variant, rows
    found = {one.row: one for one in measurements if (one.measure, one.variant, one.set) == wanted}
    if not found:
        raise RecipeError(
            f"finding {declared.name}: {variant} has no values of the measure {declared.measure} on {rows}; "
            f"allowed there: {_measures_of(measurements, variant, rows)}"
        )
    return found


def _measures_of(measurements: Sequence[Measurement], variant: str, rows: str) -> str:
    known = dict.fromkeys(one.measure for one in measurements if (one.variant, one.set) == (variant, rows))
    return ", ".join(known) or "none, for this variant was not judged on these rows"


def _unknown(measure: Measure, gains: Floats) -> tuple[float, float]:
    """The interval that one picture alone gives: nothing is known of how others vary."""
    most = measure.span if measure.span is not None else float(np.abs(gains).max())
    return -most, most


def paired_p(a: Floats, b: Floats, pictures: Sequence[str], seed: int = 0) -> float:
    """Two-sided p-value of no difference between values of the same rows.

    Yes/no values: exact McNemar (McNemar 1947), which takes rows as independent. Others: signs of whole
    pictures flipped at random (Fisher 1935), so that several rows about one picture do not count as so many.

    Args:
        a: values of one variant, (rows,).
        b: values of the other, (rows,).
        pictures: name of each row's picture.
        seed: of the flips.
    """
    if _is_yes_no(a) and _is_yes_no(b):
        return mcnemar_p(int(np.sum(a > b)), int(np.sum(b > a)))
    return _sign_flip_p(b - a, pictures, seed)


def _is_yes_no(values: Floats) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _sign_flip_p(gains: Floats, pictures: Sequence[str], seed: int) -> float:
    from scipy.stats import permutation_test

    _, cluster = np.unique(np.array(pictures), return_inverse=True)
    sums = np.bincount(cluster, weights=gains)
    if not sums.any() or len(sums) == 1:
        return 1.0
    tested = permutation_test(  # exchanging the two of a pair flips the sign of what lies between them
        (sums, np.zeros_like(sums)),
        lambda one, other, axis: np.sum(one - other, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        rng=np.random.default_rng(seed),
    )
    return min(1.0, float(tested.pvalue))


def _holds(finding: Finding, p: float, measure: Measure) -> bool:
    low, high = finding.ci95
    if finding.expect == "no_worse":
        worst = -high if measure.better == "less" else low
        return worst >= -finding.margin
    if finding.expect == "at_least":
        return low >= finding.margin and p < SIGNIFICANCE
    beyond = low > finding.margin if finding.expect == "more" else high < -finding.margin
    return beyond and p < SIGNIFICANCE
