"""The parts of a report, those that are worth most first."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it needs torch, and whoever keeps the results does without
    from tests.gpu.report.setting import Measure


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a report.

    Attributes:
        name: of its module here.
        title: what it measures.
        bound_s: after so many seconds it is stopped; what it has measured by then is kept.
    """

    name: str
    title: str
    bound_s: float

    def load(self) -> "Measure":
        """Its function `measure`."""
        measure: Measure = import_module(f"tests.gpu.report.{self.name}").measure
        return measure


PARTS: tuple[Part, ...] = (
    Part("card", "The card: what it is, and what it reaches", 45),
    Part("correctness", "Correctness: the card against exact twins", 130),
    Part("tuning", "Tuning flan-t5-xl: memory and speed", 170),
    Part("answering", "Answering with flan-t5-xl: two stages", 150),
    Part("labels", "Labelling with LLaVA-1.5-7B", 90),
    Part("pictures", "Painting with Stable Diffusion 1.5", 90),
    Part("int8", "Tuning OPT-2.7b in int8", 60),
    Part("profile", "Where time goes", 60),
    Part("loading", "Writing a checkpoint and loading it", 90),
)
"""Bounds are about twice what an H200 is thought to need; the report's own minutes may end it earlier."""

NAMES = tuple(part.name for part in PARTS)


def parts_named(names: str) -> tuple[Part, ...]:
    """Parts by their names between commas, in the report's order; all where none is named.

    Raises:
        SystemExit: There is no part of such a name.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        raise SystemExit(f"no part {', '.join(unknown)}; --parts takes {', '.join(NAMES)}")
    return tuple(part for part in PARTS if not asked or part.name in asked)
