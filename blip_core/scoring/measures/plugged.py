"""Measures of installed packages, held to what a measure promises."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

from blip_core.errors import RecipeError, StageFailure
from blip_core.plugins import Plugin, load_plugin
from blip_core.scoring.measures.measure import Answer, Measure


def plugged_measure(name: str) -> Measure:
    """The measure of that name of an installed package, which names itself when it fails.

    Raises:
        RecipeError: It cannot be loaded, or is no measure of that name.
    """
    plugin = load_plugin("measures", name)
    measure = plugin.part
    if not isinstance(measure, Measure):
        raise RecipeError(
            f"{plugin} is a {type(measure).__name__}; it must be a blip_core.scoring.measures.Measure"
        )
    if measure.name != name:
        raise RecipeError(f"{plugin} calls itself {measure.name!r}; its entry point must have the same name")
    version = f"{plugin.origin}, {measure.version}"
    return replace(measure, values=_checked(plugin, measure.values), version=version)


def _checked(
    plugin: Plugin, work: Callable[[Sequence[Answer]], list[float | None]]
) -> Callable[[Sequence[Answer]], list[float | None]]:
    def values(answers: Sequence[Answer]) -> list[float | None]:
        with plugin.named():
            given = list(work(answers))
        if len(given) != len(answers):
            raise StageFailure(f"{plugin} was given {len(answers)} answers and gave {len(given)} values")
        odd = [one for one in given if one is not None and not _is_number(one)]
        if odd:
            raise StageFailure(f"{plugin} gave {odd[0]!r}; a finite number is owed, or None")
        return [None if one is None else float(one) for one in given]

    return values


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and isfinite(value)
