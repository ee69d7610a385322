"""The rows of a recipe's probes, and what they are asked."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from blip_core.errors import RecipeError
from blip_core.kinds import kind_of
from blip_core.recipes import Recipe
from blip_core.recipes.probes import Probe
from blip_core.scoring.measures import Measure, measure_named, measures_of
from blip_core.wiring.evaluation import evaluation_examples, evaluation_identity
from blip_core.wiring.variants import inference_settings

if TYPE_CHECKING:
    from blip_core.training.probing import ProbedRows


def probed_rows(recipe: Recipe) -> "list[ProbedRows]":
    """The probes of a recipe, with their rows.

    Raises:
        TableError: Rows cannot be read.
    """
    from blip_core.training.probing import ProbedRows

    return [
        ProbedRows(
            probe.name,
            list(islice(evaluation_examples(_judging(recipe, probe)), probe.limit)),
            _judging(recipe, probe).inference,
            measure_of(probe).name,
            probe.every_steps,
        )
        for probe in recipe.probes
    ]


def probes_identity(recipe: Recipe) -> list[Any]:
    """What changes when a probe does, or its rows: for the key of an adapter, whose curves hold them."""
    return [
        [
            probe.model_dump(mode="json", exclude={"rows"}),
            evaluation_identity(_judging(recipe, probe), ""),
            measure_of(probe).version,
            _judging(recipe, probe).digest("inference"),
        ]
        for probe in recipe.probes
    ]


def probe_views(recipe: Recipe) -> list[Recipe]:
    """The recipe as if the rows of a probe were its own, once a probe."""
    return [_judging(recipe, probe) for probe in recipe.probes]


def check_probes(recipe: Recipe) -> None:
    """Make sure that each probe's measure says something of its rows.

    Raises:
        RecipeError: It does not, or less of it is better.
    """
    for probe in recipe.probes:
        measure = measure_of(probe)
        if not measure.judges(probe.task) or measure.better != "more" or measure.needs:
            allowed = (one.name for one in measures_of(probe.task) if one.better == "more" and not one.needs)
            raise RecipeError(
                f"probe {probe.name}: {measure.name} does not say how much of the task {probe.task} is still "
                f"right; allowed: {', '.join(allowed)}"
            )


def measure_of(probe: Probe) -> Measure:
    """What judges a probe: the measure that it names, or the main one of its task.

    Raises:
        RecipeError: There is none of that name.
    """
    return measure_named(probe.measure or kind_of(probe.task).main_measure)


def since_the_base(
    remembered: Iterable[Mapping[str, Any]], before: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What came of each probe, with what the base without adapter scored on it.

    Args:
        remembered: of a tuning, with `probe`, `measure`, `rows`, `before` and `after`.
        before: the same of the adapter that it went on from; empty, it began with the base.
    """
    known = {(one["probe"], one["measure"], one["rows"]): one["base"] for one in before}
    return [
        {**one, "base": known.get((one["probe"], one["measure"], one["rows"]), one["before"])}
        for one in remembered
    ]


def _judging(recipe: Recipe, probe: Probe) -> Recipe:
    """The recipe as if the rows of a probe were its own; the same in all phases."""
    prompt = kind_of(probe.task).prompt if probe.prompt is None else probe.prompt
    asking = inference_settings(recipe).by_prompt(prompt)
    view = {"task": probe.task, "stages": 1, "evaluation": probe.rows, "inference": asking}
    return recipe.model_copy(update=view)
