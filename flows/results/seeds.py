"""What several seeds of one recipe found together: pooled from the store, kept in a file and in MLflow."""

from collections.abc import Sequence
from pathlib import Path

from blip_core import strict_json
from blip_core.errors import StoreError
from blip_core.recipes import Recipe
from blip_core.reporting import ScoresSummary, Summary
from blip_core.reporting.pooled import Pooled, pooled_sentences, pooled_variants
from blip_core.scoring.measurement import Measurement
from blip_core.scoring.pooling import SeedRun, pool
from blip_core.store import read_rows
from blip_core.tracking.runs import JournalledRun
from blip_core.wiring import Workplace, workplace
from tasks.chosen import chosen
from tasks.compare import MEASUREMENTS
from tasks.stage import metadata_of, path_of

FILE = "seeds.json"


def pool_runs(recipe: Recipe, seeds: Sequence[int], runs: Sequence[Summary]) -> Pooled:
    """Pool the findings of runs that differ in their seed alone.

    Args:
        recipe: of the first seed.
        seeds: of the runs, in their order.
        runs: what each of them handed over.
    """
    seen = [_seed_run(seed, run) for seed, run in zip(seeds, runs, strict=True)]
    return Pooled(
        recipe=recipe.name,
        profile=recipe.profile,
        seeds=tuple(seeds),
        runs=tuple(runs),
        findings=tuple(pool(recipe.findings, seen, recipe.evaluation.kind)),
        variants=pooled_variants(runs),
    )


def _seed_run(seed: int, run: Summary) -> SeedRun:
    if run.scores is None:
        raise StoreError(f"the run of seed {seed} left no scores; run it again")
    scores = chosen("scores", run.scores.digest)
    measurements = read_rows(path_of(scores) / MEASUREMENTS, Measurement)
    return SeedRun(seed, run.findings, measurements, _judged_on(run.scores))


def _judged_on(scores: ScoresSummary) -> dict[str, str]:
    """Identity of the rows of each set that variants answered."""
    told: dict[str, str] = {}
    for name, key in metadata_of(chosen("scores", scores.digest))["made_from"].items():
        answered = workplace().store.find(key)
        if answered is None:
            continue
        _, _, phase = name.partition(" ")
        told[phase or answered.metadata["evaluation"]] = str(answered.metadata["evaluation_identity"])
    return told


def keep_pooled(pooled: Pooled, run: JournalledRun, place: Workplace) -> Path:
    """Keep what seeds found together, as a file beside the runs' reports and with the run above them."""
    path = place.reports / run.id / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(strict_json.dumps(pooled.to_dict(), indent=1), encoding="utf-8")
    run.metrics(pooled.metrics())
    run.note("\n\n".join(pooled_sentences(pooled)))
    run.artifact(path)
    return path
