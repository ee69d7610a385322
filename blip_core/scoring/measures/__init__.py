"""Measures, one idea a file: each gives one value for one answer of one variant."""

import difflib

from blip_core.errors import RecipeError
from blip_core.scoring.measures import answers, bleu, cider, letters, naming, rouge, wording
from blip_core.scoring.measures.measure import Answer, Better, Measure, each, referenced

MEASURES: tuple[Measure, ...] = (
    *letters.MEASURES,
    *answers.MEASURES,
    *bleu.MEASURES,
    *rouge.MEASURES,
    *cider.MEASURES,
    *naming.MEASURES,
    *wording.MEASURES,
)
"""Those that ship; plug-ins bring more."""


def measure_named(name: str) -> Measure:
    """The measure of that name.

    Raises:
        RecipeError: There is none.
    """
    found = {one.name: one for one in MEASURES}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1)
    hint = f"did you mean {near[0]}? Otherwise allowed" if near else "allowed"
    raise RecipeError(f"there is no measure {name!r}; {hint}: {', '.join(found)}")


def measures_of(task: str) -> tuple[Measure, ...]:
    """Those that say something of rows of a kind."""
    return tuple(one for one in MEASURES if one.judges(task))


__all__ = ["MEASURES", "Answer", "Better", "Measure", "each", "measure_named", "measures_of", "referenced"]
