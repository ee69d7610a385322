"""The steps in which a dataset grows, so that rows are weighed among older ones and those of their own step.

A gate that weighs all rows against each other would let later rows change what became of earlier ones.
"""

from collections import defaultdict
from collections.abc import Sequence

from blip_core.records import Example
from blip_core.scenes import number_of

SCENES_PER_STEP = 96
"""Scenes in a step of growth; `tasks.shards` makes as many at once."""


def by_step(rows: Sequence[Example]) -> list[list[Example]]:
    """Rows of one step after the other; rows of no scene, which are there at once, are all of the first."""
    found: dict[int, list[Example]] = defaultdict(list)
    for row in rows:
        found[step_of(row)].append(row)
    return [found[step] for step in sorted(found)]


def step_of(row: Example) -> int:
    """The step of a row's scene, from 0, by the number that its group ends in."""
    if not row.scene:
        return 0
    try:
        return number_of(row.group) // SCENES_PER_STEP
    except ValueError:
        return 0
