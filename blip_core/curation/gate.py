"""What a gate is: rows go in, kept rows and explained rejections come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from blip_core.recipes import Section
from blip_core.records import Example, Rejection

STAGE = "curation"

Near = Mapping[str, tuple[str, ...]]
"""Row id -> groups that founded the clusters it lies in; rows whose group is the only one are absent."""

Kept = tuple[list[Example], list[Rejection]]
Tied = tuple[list[Example], list[Rejection], Near]
Weighed = tuple[list[Example], list[Rejection], Near, Mapping[str, float]]
"""What a gate gives that measures something: its figures, by name, come last."""
Port = Literal["writer", "labeller", "judge", "safety checker", "embedder", "held-out rows"]
"""What a gate asks: the model that writes scenes, the one that labels, the variant or checkpoint that it
names, or no model but the rows that judge."""

Settings = TypeVar("Settings", bound=Section)


@dataclass(frozen=True, slots=True)
class Gate(Generic[Settings]):
    """One gate. Those of this package are called `GATE`, each in a file named after its section of a recipe.

    Attributes:
        name: of its section below `curation`, and in counts.
        words: what it refuses, for people, in one line.
        settings: its section.
        judge: parts rows, given with the settings; third comes the model where it asks one. It gives the
            rows it keeps, as they are and in their order, and a rejection for each other one; third, where it
            ties rows together, what they are tied to; fourth, where it measures something, what came out.
        kinds: of rows that it judges, by their `task`; others pass it by. Empty for all.
        port: which model it asks; None, none.
        origin: the package that brings it, see `plugins`; empty for those of this one.
    """

    name: str
    words: str
    settings: type[Settings]
    judge: Callable[..., Kept | Tied | Weighed]
    kinds: frozenset[str] = frozenset()
    port: Port | None = None
    origin: str = ""

    def __str__(self) -> str:
        return f"the gate {self.name} of {self.origin}" if self.origin else f"the gate {self.name}"

    def judges(self, row: Example) -> bool:
        """Whether rows of that kind are for it."""
        return not self.kinds or row.task in self.kinds


def refuse(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection(row.id, STAGE, reason, detail)


def part(rows: Sequence[Example], judge: Callable[[Example], Rejection | None]) -> Kept:
    """Part rows by a judge who looks at one after the other; None lets a row pass."""
    kept: list[Example] = []
    refused: list[Rejection] = []
    for row in rows:
        rejection = judge(row)
        if rejection is None:
            kept.append(row)
        else:
            refused.append(rejection)
    return kept, refused
