"""Values of two variants on the same rows: how far apart they lie, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blip_core.scoring.bootstrap import RESAMPLES, clustered_interval

_FLIPS_AT_ONCE = 4_000_000  # keeps a table of signs at some tens of MB
_ROUNDING = 1e-12  # share by which a sum may differ from itself when it is added in another order

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Paired:
    """How much more one variant has than another, in the measure's unit.

    Attributes:
        difference: mean of `b` less mean of `a`.
        low: lower end of its 95 % interval, whole pictures resampled.
        high: upper end of it.
        p_value: two-sided.
        discordant: rows that the two differ on.
        n: rows.
        clusters: pictures.
    """

    difference: float
    low: float
    high: float
    p_value: float
    discordant: int
    n: int
    clusters: int


def compare_values(
    a: Floats,
    b: Floats,
    pictures: Sequence[str],
    span: float | None = 1.0,
    seed: int = 0,
    draws: int = RESAMPLES,
) -> Paired:
    """Compare values of the same rows.

    Args:
        a: values of one variant, (rows,).
        b: values of the other, (rows,).
        pictures: name of each row's picture.
        span: largest value of the measure less its smallest; None without bounds.
        seed: of the resampling.
        draws: resamples of the interval, and flips of the p-value where there are more ways than that.
    """
    gains = b - a
    low, high, clusters = clustered_interval(gains, pictures, seed, draws)
    if clusters == 1:  # nothing is known of how other pictures vary
        most = span if span is not None else float(np.abs(gains).max())
        low, high = -most, most
    return Paired(
        difference=float(np.mean(gains)),
        low=low,
        high=high,
        p_value=paired_p(a, b, pictures, seed, draws),
        discordant=int(np.count_nonzero(gains)),
        n=len(gains),
        clusters=clusters,
    )


def paired_p(a: Floats, b: Floats, pictures: Sequence[str], seed: int = 0, draws: int = RESAMPLES) -> float:
    """Two-sided p-value of no difference between values of the same rows.

    Yes/no values: exact McNemar (McNemar 1947), which takes rows as independent. Others: signs of whole
    pictures flipped (Fisher 1935), so that several rows about one picture do not count as so many.

    Args:
        a: values of one variant, (rows,).
        b: values of the other, (rows,).
        pictures: name of each row's picture.
        seed: of the flips.
        draws: how many ways to flip are drawn, unless there are no more than that.
    """
    if _is_yes_no(a) and _is_yes_no(b):
        return mcnemar_p(int(np.sum(a > b)), int(np.sum(b > a)))
    return _sign_flip_p(b - a, pictures, seed, draws)


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Two-sided p-value of the exact McNemar test.

    Args:
        only_a: questions that the first alone answers right.
        only_b: questions that the second alone answers right.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    table = [[0, only_a], [only_b, 0]]  # the test looks at discordant questions alone
    return float(mcnemar(table, exact=True).pvalue)


def _is_yes_no(values: Floats) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _sign_flip_p(gains: Floats, pictures: Sequence[str], seed: int, draws: int) -> float:
    """Share of all ways to flip signs, or of those drawn, that give as large a difference."""
    _, picture = np.unique(np.array(pictures), return_inverse=True)
    sums: Floats = np.bincount(picture, weights=gains).astype(np.float64)
    if not sums.any() or len(sums) == 1:
        return 1.0
    found = abs(float(sums.sum())) * (1 - _ROUNDING)
    if 2 ** len(sums) <= draws:
        ways = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
        return float(np.mean(_flipped(ways, sums) >= found))
    rng = np.random.default_rng(seed)
    drawn = (
        rng.integers(0, 2, (size, len(sums)), dtype=np.int8)
        for size in _batches(draws, max(1, _FLIPS_AT_ONCE // len(sums)))
    )
    larger = sum(int(np.count_nonzero(_flipped(ways, sums) >= found)) for ways in drawn)
    return (larger + 1) / (draws + 1)  # what was found is one of the ways (Phipson and Smyth 2010)


def _flipped(ways: NDArray[np.integer], sums: Floats) -> Floats:
    differences: Floats = np.abs((1 - 2 * ways.astype(np.float64)) @ sums)
    return differences


def _batches(total: int, most: int) -> list[int]:
    whole, rest = divmod(total, most)
    return [most] * whole + [rest] * bool(rest)
