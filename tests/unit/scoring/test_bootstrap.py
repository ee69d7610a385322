import numpy as np
import pytest
from scipy.stats import bootstrap

from blip_core.scoring.bootstrap import RESAMPLES, clustered_interval


def test_rows_that_are_their_own_clusters_give_scipys_interval_of_a_mean():
    gains = np.random.default_rng(3).choice([-1, 0, 1], size=400, p=[0.1, 0.7, 0.2])
    names = [f"p{number:04d}" for number in range(400)]
    low, high, clusters = clustered_interval(gains, names, seed=5)
    known = bootstrap(
        (gains,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert (low, high) == pytest.approx((known.low, known.high), abs=1e-12)
    assert clusters == 400


def test_clusters_of_any_size_give_the_interval_of_resampling_them_one_by_one():
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 6, size=80)
    names = np.repeat([f"p{number:02d}" for number in range(80)], sizes).tolist()
    gains = rng.choice([-1, 0, 1], size=sizes.sum(), p=[0.15, 0.55, 0.3])
    parts = np.split(gains, np.cumsum(sizes)[:-1])
    means = [
        np.concatenate([parts[index] for index in rng.integers(80, size=80)]).mean() for _ in range(4000)
    ]
    low, high, _ = clustered_interval(gains, names, seed=0)
    assert (low, high) == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist(), abs=0.012)


def test_one_picture_says_nothing_of_others():
    assert clustered_interval(np.array([1, 1, 0, 1]), ["p"] * 4, seed=0) == (-1.0, 1.0, 1)


def test_batches_of_draws_change_nothing(monkeypatch):
    gains = np.random.default_rng(3).choice([-1, 0, 1], size=50)
    names = [str(number) for number in range(50)]
    whole = clustered_interval(gains, names, seed=1)
    monkeypatch.setattr("blip_core.scoring.bootstrap._DRAWS_AT_ONCE", 50 * 300)
    assert clustered_interval(gains, names, seed=1) == whole
