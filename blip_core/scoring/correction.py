"""Several comparisons at once: the more are made, the likelier one of them looks real by chance."""

from collections.abc import Sequence
from dataclasses import replace

from blip_core.scoring.comparison import Comparison


def holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Give each comparison its p-value after Holm's correction over all of them (Holm 1979), order kept.

    Whoever goes by the adjusted values calls something different that is not with a chance of 5 % at most
    over all comparisons together.
    """
    from statsmodels.stats.multitest import multipletests

    if not comparisons:
        return []
    _, adjusted, _, _ = multipletests([one.p_value for one in comparisons], method="holm")
    family = len(comparisons)
    return [
        replace(one, p_adjusted=float(p), family=family) for one, p in zip(comparisons, adjusted, strict=True)
    ]
