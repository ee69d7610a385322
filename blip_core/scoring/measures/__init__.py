"""Measures, one idea a file: each gives one value for one answer of one variant."""

import difflib
from collections.abc import Iterable

from blip_core.errors import RecipeError
from blip_core.plugins import names_installed
from blip_core.scoring.measures import answers, bleu, by_models, cider, letters, naming, rouge, wording
from blip_core.scoring.measures.attributes import attribute_measure, attribute_measures
from blip_core.scoring.measures.measure import Answer, Better, Measure, each, referenced
from blip_core.scoring.measures.plugged import plugged_measure

MEASURES: tuple[Measure, ...] = (
    *letters.MEASURES,
    *answers.MEASURES,
    *bleu.MEASURES,
    *rouge.MEASURES,
    *cider.MEASURES,
    *naming.MEASURES,
    *by_models.MEASURES,
    *wording.MEASURES,
)
"""Those that ship; plug-ins bring more."""


def measure_named(name: str) -> Measure:
    """The measure of that name.

    Raises:
        RecipeError: There is none.
    """
    shipped = {one.name: one for one in MEASURES}
    if name in shipped:
        return shipped[name]
    installed = names_installed("measures")
    if name in installed:
        return plugged_measure(name)
    if by_attribute := attribute_measure(name):
        return by_attribute
    found = [*shipped, *installed]
    near = difflib.get_close_matches(name, found, n=1)
    hint = f"did you mean {near[0]}? Otherwise allowed" if near else "allowed"
    raise RecipeError(f"there is no measure {name!r}; {hint}: {', '.join(found)}")


def further_measures(names: Iterable[str]) -> tuple[Measure, ...]:
    """Those of installed packages among some that are named, each once.

    Raises:
        RecipeError: There is none of a name.
    """
    shipped = {one.name for one in MEASURES}
    return tuple(measure_named(name) for name in dict.fromkeys(names) if name not in shipped)


def measures_of(task: str) -> tuple[Measure, ...]:
    """Those that say something of rows of a kind."""
    return tuple(one for one in MEASURES if one.judges(task))


__all__ = [
    "MEASURES",
    "Answer",
    "Better",
    "Measure",
    "attribute_measures",
    "each",
    "further_measures",
    "measure_named",
    "measures_of",
    "referenced",
]
