"""Intervals by resampling whole clusters, such as all questions about one picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blip_core.scoring.accuracy import SIGNIFICANCE

RESAMPLES = 10_000
_DRAWS_AT_ONCE = 4_000_000  # keeps a table of draws at some tens of MB, however many clusters there are

Floats = NDArray[np.float64]


def clustered_interval(
    gains: NDArray[np.int64] | Floats, clusters: Sequence[str], seed: int, resamples: int = RESAMPLES
) -> tuple[float, float, int]:
    """95 % percentile interval of the mean gain a row, clusters resampled (Efron 1979; Field and Welsh 2007).

    The mean of a resample is the sum of its gains over its number of rows, which differs between resamples
    when clusters differ in size. One cluster says nothing of how others vary: its interval is -1 to 1.

    Args:
        gains: gain of each row, -1 to 1; (rows,).
        clusters: name of each row's cluster, in the same order.
        seed: of the resampling.
        resamples: how many are drawn.

    Returns:
        Low end, high end, and how many clusters there are.
    """
    from scipy.stats import bootstrap

    sums, sizes = _by_cluster(gains, clusters)
    if len(sizes) == 1:
        return -1.0, 1.0, 1
    interval = bootstrap(
        (sums, sizes),
        _mean_gain,
        paired=True,  # a cluster's sum and its size are drawn together
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, min(resamples, _DRAWS_AT_ONCE // len(sizes))),
        confidence_level=1 - SIGNIFICANCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high), len(sizes)


def _mean_gain(sums: Floats, sizes: Floats, axis: int) -> Floats:
    means: Floats = sums.sum(axis=axis) / sizes.sum(axis=axis)
    return means


def _by_cluster(gains: NDArray[np.int64] | Floats, clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum gains and count rows by cluster: two float64 arrays, (clusters,)."""
    _, index = np.unique(np.array(clusters), return_inverse=True)
    return np.bincount(index, weights=gains).astype(np.float64), np.bincount(index).astype(np.float64)
