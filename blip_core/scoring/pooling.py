"""Findings of one recipe under several seeds: what each seed found, and what all of them say together.

A row's values are averaged over the seeds that judged it; on these averages the finding is decided as that of
one seed is: whole pictures resampled, signs flipped picture by picture, Holm's correction. So a row that
several seeds judged counts once, and rows that differ between seeds count beside one another. This says how
sure the mean of these seeds is for rows like these. How far seeds lie apart is told beside it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from blip_core.errors import TableError
from blip_core.recipes.findings import Finding as Declared
from blip_core.scoring.bootstrap import RESAMPLES
from blip_core.scoring.findings import Finding, Judged, compare_sides, decide
from blip_core.scoring.measurement import Measurement

METHOD = "rows averaged over seeds; whole pictures resampled for the interval and flipped for p"


@dataclass(frozen=True, slots=True)
class SeedRun:
    """What one seed found.

    Attributes:
        seed: of the run.
        findings: of the run, in the recipe's order.
        measurements: that they were decided by.
        judged_on: identity of the rows of each set: rows of another identity are other rows, whatever their
            names.
    """

    seed: int
    findings: Sequence[Finding]
    measurements: Sequence[Measurement]
    judged_on: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PooledFinding:
    """A finding under several seeds.

    Attributes:
        name: of the finding.
        by_seed: what each seed found, in the order of the seeds.
        spread: standard deviation of the seeds' differences, in the measure's unit; None of a single seed.
        pooled: the finding on values that were averaged over seeds.
    """

    name: str
    by_seed: tuple[Finding, ...]
    spread: float | None
    pooled: Finding

    @property
    def holding(self) -> int:
        """Number of seeds in which it holds."""
        return sum(one.holds for one in self.by_seed)


def pool(
    declared: Sequence[Declared], runs: Sequence[SeedRun], own_set: str, draws: int = RESAMPLES
) -> list[PooledFinding]:
    """Pool the findings of runs that differ in their seed alone.

    Args:
        declared: what the recipe expects.
        runs: at least one.
        own_set: name of the rows that a finding without `set` means.
        draws: see `compare_values`.

    Raises:
        TableError: A run decided other findings than were declared.
    """
    for run in runs:
        if [one.name for one in run.findings] != [one.name for one in declared]:
            raise TableError(f"seed {run.seed} decided other findings than the recipe declares; run it again")
    pooled = decide([_pooled(one, runs, one.set or own_set, draws) for one in declared])
    return [
        PooledFinding(one.name, by_seed := tuple(run.findings[place] for run in runs), _spread(by_seed), one)
        for place, one in enumerate(pooled)
    ]


def _pooled(declared: Declared, runs: Sequence[SeedRun], rows: str, draws: int) -> Finding:
    paired = [pair for run in runs for pair in _pairs(declared, run, rows)]
    judged = Judged([*_averaged([a for a, _ in paired]), *_averaged([b for _, b in paired])])
    return compare_sides(declared, judged, rows, draws=draws)


def _pairs(declared: Declared, run: SeedRun, rows: str) -> list[tuple[Measurement, Measurement]]:
    """Values of both sides on the rows that have both, named so that different rows differ between seeds."""
    judged = Judged([one for one in run.measurements if one.measure == declared.measure and one.set == rows])
    a, b = (judged.of(declared.measure, side, rows) for side in (declared.a, declared.b))
    identity = run.judged_on.get(rows, f"seed {run.seed}")
    return [(_named(a[row], identity), _named(b[row], identity)) for row in sorted(a.keys() & b.keys())]


def _named(one: Measurement, identity: str) -> Measurement:
    return replace(one, row=f"{one.row} {identity}", picture=f"{one.picture} {identity}")


def _averaged(measurements: Sequence[Measurement]) -> list[Measurement]:
    by_row: dict[str, list[Measurement]] = defaultdict(list)
    for one in measurements:
        by_row[one.row].append(one)
    return [replace(found[0], value=fmean(one.value for one in found)) for found in by_row.values()]


def _spread(found: Sequence[Finding]) -> float | None:
    return stdev(one.difference for one in found) if len(found) > 1 else None
