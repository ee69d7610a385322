from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blip_core.errors import RecipeError
from blip_core.recipes.findings import Finding as Declared
from blip_core.scoring.findings import adjusted, find, holds
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.measures import measure_named
from blip_core.scoring.paired import compare_values, paired_p

FEW = 200  # draws, which show what must hold of any number
VALUES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12)


def measured(pairs, measure="anls", rows="own"):
    return [
        Measurement(f"r{row}", f"p{row // 2}", variant, rows, measure, value / 4)
        for row, pair in enumerate(pairs)
        for variant, value in zip("ab", pair, strict=True)
    ]


def declared(**fields):
    return Declared(**{"name": "gain", "measure": "anls", "a": "a", "b": "b", **fields})


def one(pairs, **fields):
    measure = fields.get("measure", "anls")
    return find([declared(**fields)], measured(pairs, measure), "own", draws=FEW)[0]


@settings(max_examples=25)
@given(pairs=VALUES)
def test_swapping_the_variants_flips_the_sign_and_nothing_else(pairs):
    there, back = one(pairs), one(pairs, a="b", b="a")
    assert back.difference == pytest.approx(-there.difference)
    assert back.p_value == pytest.approx(there.p_value)
    assert back.ci95 == pytest.approx((-there.ci95[1], -there.ci95[0]), abs=0.1)


@settings(max_examples=25)
@given(pairs=VALUES, data=st.data())
def test_the_order_of_measurements_changes_nothing(pairs, data):
    rows = measured(pairs)
    shuffled = data.draw(st.permutations(rows))
    assert find([declared()], shuffled, "own", draws=FEW) == find([declared()], rows, "own", draws=FEW)


@settings(max_examples=25)
@given(pairs=VALUES, margin=st.floats(0, 0.5), measure=st.sampled_from(["anls", "repetition"]))
def test_no_worse_never_holds_where_the_interval_passes_the_margin(pairs, margin, measure):
    found = one(pairs, expect="no_worse", margin=margin, measure=measure)
    low, high = found.ci95
    passed = high > margin if measure == "repetition" else low < -margin
    assert found.holds is not passed


def test_yes_and_no_are_compared_by_mcnemar():
    from statsmodels.stats.contingency_tables import mcnemar

    a = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 1.0])
    b = np.array([1, 0, 1, 1, 1, 1, 1, 1, 0, 1.0])
    expected = mcnemar([[2, 1], [6, 1]], exact=True).pvalue
    assert paired_p(a, b, [str(row) for row in range(10)]) == pytest.approx(expected)


def test_other_values_are_compared_by_flipping_signs_as_scipy_does():
    from scipy.stats import permutation_test

    rng = np.random.default_rng(3)
    a, b = rng.random(9), rng.random(9) + 0.2
    exact = permutation_test((b, a), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=1e6)
    assert paired_p(a, b, [str(row) for row in range(9)]) == pytest.approx(exact.pvalue, rel=1e-6)


@pytest.mark.parametrize("rows", [14, 40])
def test_more_pictures_than_can_be_tried_are_sampled_close_to_the_exact_value(rows):
    from scipy.stats import permutation_test

    rng = np.random.default_rng(5)
    a, b = rng.random(rows), rng.random(rows) + 0.15
    drawn = permutation_test((b, a), lambda x, y: np.mean(x - y), permutation_type="samples", rng=rng)
    pictures = [str(row) for row in range(rows)]
    assert paired_p(a, b, pictures, draws=5_000) == pytest.approx(drawn.pvalue, abs=0.02)


def test_the_interval_is_that_of_scipys_bootstrap_where_each_row_has_its_picture():
    from scipy.stats import bootstrap

    rng = np.random.default_rng(7)
    a, b = rng.random(60), rng.random(60) + 0.1
    other = bootstrap((b - a,), np.mean, method="percentile", rng=np.random.default_rng(1))
    found = compare_values(a, b, [str(row) for row in range(60)], seed=2)
    assert (found.low, found.high) == pytest.approx(other.confidence_interval, abs=0.01)


def test_rows_about_one_picture_count_as_one():
    a, b = np.zeros(8), np.full(8, 0.5)
    assert paired_p(a, b, ["same"] * 8) == 1.0
    assert paired_p(a, b, [str(row) for row in range(8)]) == pytest.approx(2 / 2**8)


def test_p_values_are_corrected_over_all_findings_of_a_recipe():
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []


@pytest.mark.parametrize(
    ("expect", "margin", "holds"),
    [
        ("more", 0.0, True),
        ("more", 0.6, False),
        ("less", 0.0, False),
        ("at_least", 0.4, True),
        ("at_least", 0.6, False),
    ],
)
def test_a_finding_holds_where_interval_and_p_agree_with_what_was_expected(expect, margin, holds):
    pairs = [(0, 2)] * 40  # b has half more on every row
    assert one(pairs, expect=expect, margin=margin).holds is holds


@pytest.mark.parametrize(
    ("expect", "margin", "ci95", "p", "measure", "expected"),
    [
        ("more", 0.0, (0.0, 0.2), 0.01, "anls", False),  # an interval that touches zero
        ("more", 0.0, (0.01, 0.2), 0.049, "anls", True),
        ("more", 0.0, (0.01, 0.2), 0.05, "anls", False),
        ("more", 0.01, (0.01, 0.2), 0.01, "anls", False),
        ("less", 0.0, (-0.2, -0.01), 0.01, "anls", True),
        ("less", 0.0, (-0.2, 0.0), 0.01, "anls", False),
        ("less", 0.01, (-0.2, -0.01), 0.01, "anls", False),
        ("less", 0.0, (-0.2, -0.01), 0.05, "anls", False),
        ("at_least", 0.1, (0.1, 0.2), 0.01, "anls", True),
        ("at_least", 0.1, (0.099, 0.2), 0.01, "anls", False),
        ("at_least", 0.1, (0.1, 0.2), 0.05, "anls", False),
        ("no_worse", 0.02, (-0.02, 0.0), 1.0, "anls", True),
        ("no_worse", 0.02, (-0.021, 0.2), 0.01, "anls", False),
        ("no_worse", 0.02, (-0.5, 0.02), 1.0, "repetition", True),  # of which less is better
        ("no_worse", 0.02, (-0.5, 0.021), 1.0, "repetition", False),
        ("no_worse", 0.02, (-0.02, 0.5), 1.0, "words", True),  # of which neither is
    ],
)
def test_where_an_expectation_ends(expect, margin, ci95, p, measure, expected):
    found = replace(one([(1, 2), (2, 3)]), expect=expect, margin=margin, ci95=ci95, measure=measure)
    assert holds(found, p, measure_named(measure)) is expected


def test_each_finding_goes_by_its_corrected_p():
    pairs = [(0, 2)] * 7 + [(0, 0)]  # of four pictures p is 2/16 at the least
    sure = [(0, 2)] * 40
    alone = find([declared()], measured(sure), "own", draws=FEW)[0]
    several = [declared(name=f"f{number}") for number in range(20)]
    together = find(several, measured(sure), "own", draws=FEW)
    assert alone.holds
    assert together[0].p_adjusted == pytest.approx(min(1.0, 20 * alone.p_value))
    assert together[0].holds is (together[0].p_adjusted < 0.05)
    assert not one(pairs).holds


def test_rows_without_a_value_for_one_of_the_two_are_left_out():
    rows = [row for row in measured([(0, 4)] * 6) if (row.row, row.variant) != ("r0", "b")]
    found = find([declared()], rows, "own", draws=FEW)[0]
    assert (found.n, found.difference, found.words) == (5, 1.0, "ANLS")


def test_two_variants_without_a_row_in_common_are_refused():
    rows = [row for row in measured([(0, 4)] * 4) if (row.variant == "a") == (row.row in ("r0", "r1"))]
    with pytest.raises(RecipeError, match="no row in common with a value of anls on own"):
        find([declared()], rows, "own")


def test_a_set_that_is_named_is_the_one_that_decides():
    rows = [*measured([(0, 4)] * 4), *measured([(4, 0)] * 4, rows="other")]
    found = find([declared(set="other")], rows, "own", draws=FEW)[0]
    assert (found.set, found.difference) == ("other", -1.0)


def test_a_measure_without_bounds_has_an_interval_as_wide_as_what_was_seen_of_one_picture():
    found = one([(0, 4), (0, 2)], measure="words")
    assert found.ci95 == (-1.0, 1.0)


def test_what_is_known_is_told_where_a_measure_has_no_values():
    with pytest.raises(RecipeError, match=r"allowed there: anls$"):
        find([declared(measure="cider")], measured([(1, 2)]), "own")
    with pytest.raises(RecipeError, match="this variant was not judged on these rows"):
        find([declared(set="elsewhere")], measured([(1, 2)]), "own")


def test_one_picture_alone_shows_nothing():
    found = one([(0, 4), (0, 4)])
    assert (found.ci95, found.holds) == ((-1.0, 1.0), False)


@pytest.mark.parametrize("fields", [{"b": "c"}, {"set": "elsewhere"}, {"measure": "cider"}])
def test_a_finding_over_what_was_not_judged_is_refused_by_name(fields):
    with pytest.raises(RecipeError, match="finding gain"):
        find([declared(**fields)], measured([(1, 2), (2, 3)]), "own")


def test_a_variant_is_not_compared_with_itself():
    with pytest.raises(ValidationError, match="name two variants"):
        declared(b="a")
