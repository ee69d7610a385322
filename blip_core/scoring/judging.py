"""All that is said of the variants of a run: measurements, scores, comparisons, findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from blip_core.recipes.recipe import Recipe
from blip_core.records import Prediction
from blip_core.scoring.bootstrap import RESAMPLES
from blip_core.scoring.findings import find
from blip_core.scoring.guessing import guessing
from blip_core.scoring.main_measure import main_measure, ranking
from blip_core.scoring.measurement import Measurement, measure_run
from blip_core.scoring.measures import Measure, further_measures
from blip_core.scoring.summary import (
    Pair,
    compare_ablations,
    compare_pairs,
    score,
    score_captions,
    unwatched,
)
from blip_core.scoring.texts import compare_measured, score_texts

Answers = Mapping[str, Sequence[Prediction]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run found.

    Attributes:
        measurements: one a row, variant and measure.
        scores: JSON values: `variants`, `comparisons`, `findings` and more.
    """

    measurements: Sequence[Measurement]
    scores: Mapping[str, Any]


def asked_measures(recipe: Recipe) -> tuple[Measure, ...]:
    """Measures of installed packages that a recipe's findings, or its kind, name.

    Raises:
        RecipeError: There is none of a name.
    """
    return further_measures([recipe.kind.main_measure, *(one.measure for one in recipe.findings)])


def judge_run(
    recipe: Recipe,
    answers: Answers,
    ablations: Answers,
    wanted: Sequence[Pair] = (),
    described: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int], None] = unwatched,
    draws: int = RESAMPLES,
) -> Judgement:
    """Measure, score and compare the variants of a run, and decide its findings.

    Args:
        recipe: its task, its findings, its seed; what it judges on names the set of the measurements.
        answers: by variant, everything shown, in the order of the ladder.
        ablations: the same rows in other modes, by variant.
        wanted: pairs of variants that are compared besides the usual ones.
        described: the right descriptions by row, where they are known.
        on_progress: told how many comparisons are done, of how many.
        draws: resamples of each interval of a measurement.

    Raises:
        EmptyDataset: There are no rows, or of none is it known what is right.
        TableError: The variants did not answer the same rows.
        RecipeError: A finding's measure has no values on these rows.
    """
    rows = recipe.evaluation.kind
    measured = measure_run(answers, ablations, rows, asked_measures(recipe))
    has_options = all(row.offered for said in answers.values() for row in said)
    if has_options:
        scores = _with_options(recipe, answers, ablations, wanted, described or {}, on_progress)
    else:
        scores = _texts(recipe, answers, measured, wanted, on_progress, draws)
    findings = find(recipe.findings, measured, rows, recipe.seed, draws)
    told = {
        "measure": asdict(ranking(recipe.task)),
        "set": rows,
        "findings": [asdict(one) for one in findings],
    }
    return Judgement(measured, scores | told)


def _with_options(
    recipe: Recipe,
    answers: Answers,
    ablations: Answers,
    wanted: Sequence[Pair],
    described: Mapping[str, str],
    on_progress: Callable[[int, int], None],
) -> dict[str, Any]:
    is_free = recipe.inference.free_generation
    return {
        "variants": {
            name: score(rows, is_free, ablations.get(name, ())) | score_captions(rows, described)
            for name, rows in answers.items()
        },
        "guessing": asdict(guessing(next(iter(answers.values())))),
        "comparisons": compare_pairs(answers, wanted, recipe.seed, on_progress),
        "ablation_comparisons": compare_ablations(answers, ablations, recipe.seed),
    }


def _texts(
    recipe: Recipe,
    answers: Answers,
    measured: Sequence[Measurement],
    wanted: Sequence[Pair],
    on_progress: Callable[[int, int], None],
    draws: int,
) -> dict[str, Any]:
    by_variant = {name: [one for one in measured if one.variant == name] for name in answers}
    judge = partial(compare_measured, measure=main_measure(recipe.task), draws=draws)
    return {
        "variants": {
            name: score_texts(rows, by_variant[name], recipe.seed, draws) for name, rows in answers.items()
        },
        "comparisons": compare_pairs(by_variant, wanted, recipe.seed, on_progress, judge),
        "ablation_comparisons": {},
    }
