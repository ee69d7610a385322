"""Named points of publishing that a test can arm, to stop or kill the process there."""

from collections.abc import Callable
from typing import Literal, get_args

Point = Literal[
    "publish.locked",
    "publish.staged",
    "publish.built",
    "publish.synced",
    "publish.moved",
    "publish.before-manifest",
    "publish.manifest",
]
POINTS: tuple[Point, ...] = get_args(Point)
"""In the order in which publishing reaches them; only at the last is the artefact visible."""

Reach = Callable[[Point], None]


def pass_by(point: Point) -> None:
    """What happens at every point when nothing is armed: nothing."""
    del point
