"""All that is said of the variants of a run: measurements, scores, comparisons, findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any

from blip_core.recipes.recipe import Recipe
from blip_core.records import Prediction
from blip_core.scoring.bootstrap import RESAMPLES
from blip_core.scoring.findings import find
from blip_core.scoring.guessing import guessing
from blip_core.scoring.main_measure import main_measure, ranking
from blip_core.scoring.measurement import Measurement, measure_run
from blip_core.scoring.measures import Measure, further_measures, measures_of
from blip_core.scoring.published import beside_published
from blip_core.scoring.summary import (
    Pair,
    compare_ablations,
    compare_pairs,
    score,
    score_captions,
    unwatched,
)
from blip_core.scoring.texts import compare_measured, means, score_texts

Answers = Mapping[str, Sequence[Prediction]]

NO_FURTHER_SETS: Mapping[str, tuple[Answers, Answers]] = {}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run found.

    Attributes:
        measurements: one a row, variant and measure.
        scores: JSON values: `variants`, `comparisons`, `findings` and more; of the rows of phases the mean of
            each measure, by phase and variant (`sets`).
    """

    measurements: Sequence[Measurement]
    scores: Mapping[str, Any]


def asked_measures(recipe: Recipe) -> tuple[Measure, ...]:
    """Measures of installed packages that findings, published scores or the kinds of rows name.

    Raises:
        RecipeError: There is none of a name.
    """
    kinds = [recipe.kind, *(recipe.of_set(name).kind for name in recipe.further_sets)]
    mains = [kind.main_measure for kind in kinds]
    told = [one.measure for variant in recipe.variants for one in getattr(variant, "published", ())]
    return further_measures([*mains, *(one.measure for one in recipe.findings), *told])


def measures_taken(recipe: Recipe) -> tuple[Measure, ...]:
    """All measures that its rows are judged by, each once.

    Raises:
        RecipeError: There is none of a name.
    """
    tasks = [recipe.task, *(recipe.of_set(name).task for name in recipe.further_sets)]
    taken = chain(*(measures_of(task) for task in tasks), asked_measures(recipe))
    return tuple(dict.fromkeys(taken))


def judge_run(
    recipe: Recipe,
    answers: Answers,
    ablations: Answers,
    wanted: Sequence[Pair] = (),
    described: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int], None] = unwatched,
    draws: int = RESAMPLES,
    further: Mapping[str, tuple[Answers, Answers]] = NO_FURTHER_SETS,
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
        further: by phase, `answers` and `ablations` about its own rows.

    Raises:
        EmptyDataset: There are no rows, or of none is it known what is right.
        TableError: The variants did not answer the same rows.
        RecipeError: A finding's measure has no values on these rows.
    """
    rows = recipe.evaluation.kind
    asked = asked_measures(recipe)
    measured = measure_run(answers, ablations, rows, asked)
    elsewhere = {name: measure_run(*said, name, asked) for name, said in further.items()}
    has_options = all(row.offered for said in answers.values() for row in said)
    if has_options:
        scores = _with_options(recipe, answers, ablations, wanted, described or {}, on_progress)
    else:
        scores = _texts(recipe, answers, measured, wanted, on_progress, draws)
    everything = [*measured, *chain(*elsewhere.values())]
    findings = find(recipe.findings, everything, rows, recipe.seed, draws)
    published = beside_published(recipe, measured, draws)
    told = {
        "measure": asdict(ranking(recipe.task)),
        "set": rows,
        "findings": [asdict(one) for one in findings],
        **({"published": [asdict(one) for one in published]} if published else {}),
        **({"sets": {name: _means(said) for name, said in elsewhere.items()}} if elsewhere else {}),
    }
    return Judgement(everything, scores | told)


def _means(measured: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """Mean of each measure, by variant."""
    names = dict.fromkeys(one.variant for one in measured)
    return {name: means(one for one in measured if one.variant == name) for name in names}


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
