"""Findings over measurements that were written to a file and read again, against scipy and statsmodels."""

import numpy as np
import pytest

from blip_core.recipes.findings import Finding
from blip_core.scoring.findings import find
from blip_core.scoring.measurement import MEASUREMENT_SCHEMA, Measurement
from blip_core.store import read_rows, write_rows

ROWS = 80
FINDINGS = [
    Finding(name="right", measure="letter-right", a="old", b="new"),
    Finding(name="near", measure="anls", a="old", b="new"),
    Finding(name="words", measure="words", a="old", b="new", expect="less"),
]


@pytest.fixture
def recorded(tmp_path):
    """Values of two variants by three measures, each row about a picture of its own, from a Parquet file."""
    rng = np.random.default_rng(11)
    draws = {
        "letter-right": lambda gain: (rng.random(ROWS) < 0.5 + gain).astype(float),
        "anls": lambda gain: np.clip(rng.random(ROWS) * 0.8 + gain, 0, 1),
        "words": lambda gain: rng.integers(3, 12, ROWS) + gain,
    }
    rows = [
        Measurement(f"r{row:02d}", f"p{row:02d}", variant, "split", measure, float(value))
        for measure, draw in draws.items()
        for variant, gain in (("old", 0.0), ("new", 0.15))
        for row, value in enumerate(draw(gain))
    ]
    write_rows(tmp_path / "m.parquet", rows, MEASUREMENT_SCHEMA)
    return read_rows(tmp_path / "m.parquet", Measurement)


def values(recorded, measure):
    def of(variant):
        return np.array([one.value for one in recorded if (one.variant, one.measure) == (variant, measure)])

    return of("old"), of("new")


def test_yes_and_no_agree_with_mcnemars_test(recorded):
    from statsmodels.stats.contingency_tables import mcnemar

    old, new = values(recorded, "letter-right")
    counts = [[int(np.sum((old == a) & (new == b))) for b in (1, 0)] for a in (1, 0)]
    right, _, _ = find(FINDINGS, recorded, "split")
    assert right.p_value == pytest.approx(mcnemar(counts, exact=True).pvalue)
    assert right.difference == pytest.approx(new.mean() - old.mean())


@pytest.mark.parametrize("place", [1, 2])
def test_other_values_agree_with_a_permutation_test_and_a_bootstrap(recorded, place):
    from scipy.stats import bootstrap, permutation_test

    found = find(FINDINGS, recorded, "split")[place]
    old, new = values(recorded, found.measure)
    drawn = permutation_test((new, old), lambda x, y: np.mean(x - y), permutation_type="samples", rng=1)
    assert found.p_value == pytest.approx(drawn.pvalue, abs=0.015)
    ends = bootstrap((new - old,), np.mean, method="percentile", rng=np.random.default_rng(1))
    scale = np.ptp(new - old)
    assert found.ci95 == pytest.approx(ends.confidence_interval, abs=0.01 * scale)


def test_p_values_agree_with_holms_correction(recorded):
    from statsmodels.stats.multitest import multipletests

    found = find(FINDINGS, recorded, "split")
    expected = multipletests([one.p_value for one in found], method="holm")[1]
    assert [one.p_adjusted for one in found] == pytest.approx(list(expected))
