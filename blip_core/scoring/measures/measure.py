"""What a measure is: one value for one answer of one variant."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from blip_core.kinds import kind_of
from blip_core.records import Prediction

Better = Literal["more", "less", "neither"]
Values = Callable[[Sequence["Answer"]], list[float | None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a variant said of a row, and what would have been right.

    Attributes:
        row: its prediction.
        task: kind of the row: `mcq`, `caption`, `vqa` or a plug-in's.
        text: what the variant wrote; empty where it wrote nothing.
        references: right texts, as many as are known.
    """

    row: Prediction
    task: str
    text: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        name: a slug, as recipes and tables write it.
        words: what it says, for people, as the end of a sentence: `share of right letters`.
        values: gives a value an answer, in their order; None where it says nothing of one.
        tasks: kinds of rows that it judges, by their name or what they are judged as; empty for all.
        better: whether more of it is better.
        span: largest value less smallest; None without bounds.
        version: enters keys; counted up when values change.
        needs: field of a recipe that has to be on for there to be values, where there is one.
    """

    name: str
    words: str
    values: Values
    tasks: frozenset[str] = frozenset()
    better: Better = "more"
    span: float | None = 1.0
    version: str = "1"
    needs: str = ""

    def judges(self, task: str) -> bool:
        """Whether it says something of rows of that kind."""
        return not self.tasks or bool(self.tasks & {task, kind_of(task).judged_as})


def each(value: Callable[[Answer], float | None]) -> Values:
    """A measure of answers that need not know each other."""

    def values(answers: Iterable[Answer]) -> list[float | None]:
        return [value(answer) for answer in answers]

    return values


def referenced(value: Callable[[str, Sequence[str]], float | None]) -> Values:
    """A measure that holds a text against right ones; it says nothing where none is known."""
    return each(lambda one: value(one.text, one.references) if one.references else None)
