"""What an annotation step is: rows go in, rows with more to them and explained rejections come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, TypeVar

from blip_core.ports import row_seed
from blip_core.recipes import Section
from blip_core.records import Example, Rejection

STAGE = "annotations"

Port = Literal["labeller", "writer", "picture-text", "embedder", "reader"]
Worked = tuple[list[Example], list[Rejection]]
Facts = Mapping[str, Any]
Settings = TypeVar("Settings", bound=Section)


class Models(Protocol):
    """Opens the models of a step; each is loaded when it is first asked for, and closed behind the step."""

    def open(self, port: Port) -> Any: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a step has beside rows and settings.

    Attributes:
        models: opens its models.
        seed: of the recipe.
        digest: of all rows that the step is given, of which it may see a part at a time.
        facts: what `Step.prepare` found out about all of them.
    """

    models: Models
    seed: int = 0
    digest: str = ""
    facts: Facts = field(default_factory=dict)

    def seeds(self, rows: Sequence[Example], *parts: str | int) -> list[int]:
        """A seed a row, which depends on the row's name and not on its neighbours."""
        return [row_seed(self.seed, STAGE, *parts, row.id) for row in rows]


@dataclass(frozen=True, slots=True)
class Step(Generic[Settings]):
    """One step. Those of this package are called `STEP`, one a file.

    Attributes:
        name: as recipes write it.
        words: what it does, for people, in one line.
        settings: its section.
        work: gives rows in the order of those it was given, and a rejection for each that it gives up.
        prepare: what it has to know of all rows before the first of them is worked, as JSON values.
        ports: models that a step of another package opens: those of the recipe's scenes and labels.
        origin: the package that brings it, see `plugins`; empty for those of this one.
    """

    name: str
    words: str
    settings: type[Settings]
    work: Callable[[Sequence[Example], Any, Context], Worked]
    prepare: Callable[[Sequence[Example], Any, Context], Facts] | None = None
    ports: tuple[Port, ...] = ()
    origin: str = ""

    def __str__(self) -> str:
        return f"the step {self.name} of {self.origin}" if self.origin else f"the step {self.name}"


def refuse(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection(row.id, STAGE, reason, detail)


def part(rows: Sequence[Example], work: Callable[[Example], Example | Rejection]) -> Worked:
    """Work rows one after the other; each becomes a row or a rejection."""
    kept: list[Example] = []
    refused: list[Rejection] = []
    for row in rows:
        made = work(row)
        if isinstance(made, Rejection):
            refused.append(made)
        else:
            kept.append(made)
    return kept, refused


def text_of(row: Example, field_name: str) -> str:
    """A text of a row: its `target` or its `description`."""
    return str(getattr(row, field_name))


def with_text(row: Example, field_name: str, text: str) -> Example:
    """A row with another text."""
    if field_name == "target":
        return replace(row, target=text)
    return replace(row, description=text)


def batches(rows: Sequence[Example], size: int) -> list[Sequence[Example]]:
    """Rows in runs of one size."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]
