"""Findings of several seeds: every row counts once, and seeds that judged other rows add theirs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.errors import RecipeError, TableError
from blip_core.recipes.findings import Finding as Declared
from blip_core.scoring.findings import find
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.pooling import SeedRun, pool

FEW = 200  # draws, which show what must hold of any number
GAIN = Declared(name="gain", measure="anls", a="a", b="b")
VALUES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=9)


def seed_run(seed, pairs, judged_on="same", declared=(GAIN,)):
    rows = [
        Measurement(f"r{row}", f"p{row}", variant, "own", "anls", value / 4)
        for row, pair in enumerate(pairs)
        for variant, value in zip("ab", pair, strict=True)
    ]
    return SeedRun(seed, find(declared, rows, "own", draws=FEW), rows, {"own": judged_on})


def pooled(runs):
    return pool([GAIN], runs, "own", FEW)[0]


@settings(max_examples=20)
@given(pairs=VALUES, copies=st.integers(1, 4))
def test_a_seed_repeated_says_no_more_than_once(pairs, copies):
    found = pooled([seed_run(seed, pairs) for seed in range(copies)])
    once = found.by_seed[0]
    assert found.pooled.difference == pytest.approx(once.difference)
    assert found.pooled.p_value == pytest.approx(once.p_value)
    assert found.pooled.n == once.n


def test_a_row_is_the_mean_of_its_seeds():
    found = pooled([seed_run(0, [(0, 4), (2, 2), (0, 0)]), seed_run(1, [(0, 0), (2, 4), (0, 0)])])
    assert found.pooled.difference == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert found.pooled.n == 3


def test_rows_that_differ_between_seeds_stand_beside_one_another():
    pairs = [(0, 4), (1, 4), (0, 3)]
    found = pooled([seed_run(0, pairs, "these"), seed_run(1, pairs, "those")])
    assert found.pooled.n == found.pooled.clusters == 6
    assert found.pooled.p_value < found.by_seed[0].p_value


def test_seeds_that_contradict_one_another_hold_nowhere_and_their_spread_says_so():
    up, down = [(0, 4)] * 9, [(4, 0)] * 9
    found = pooled([seed_run(0, up), seed_run(1, down)])
    assert found.holding == 1
    assert not found.pooled.holds
    assert found.pooled.difference == 0
    assert found.spread == pytest.approx(2**0.5)


def test_a_single_seed_has_no_spread():
    assert pooled([seed_run(0, [(0, 4), (1, 2), (0, 0)])]).spread is None


def test_p_values_are_corrected_over_all_findings():
    second = Declared(name="loss", measure="anls", a="b", b="a", expect="less")
    run = seed_run(0, [(0, 4)] * 8, declared=(GAIN, second))
    found = pool([GAIN, second], [run], "own", FEW)
    assert [one.pooled.p_adjusted for one in found] == [2 * one.pooled.p_value for one in found]


def test_a_run_of_other_findings_is_refused():
    other = Declared(name="other", measure="anls", a="a", b="b")
    with pytest.raises(TableError, match="seed 3 decided other findings"):
        pool([other], [seed_run(3, [(0, 4)])], "own", FEW)


def test_seeds_without_a_row_in_common_are_refused():
    run = seed_run(0, [(0, 4)])
    alone = SeedRun(0, run.findings, [one for one in run.measurements if one.variant == "a"], {})
    with pytest.raises(RecipeError, match="gain"):
        pool([GAIN], [alone], "own", FEW)
