"""Gate: how many questions are answered without the picture, or from the description alone.

It measures: a question that can be answered blind teaches little of pictures, yet such a model catches few
wrong labels. What it answers rightly is dropped only where a recipe says so.
"""

from collections.abc import Sequence
from dataclasses import replace

from blip_core.curation.gate import Gate, Weighed, part, refuse
from blip_core.errors import StageFailure
from blip_core.ports import Judge, Weighing
from blip_core.recipes.curation import Blind
from blip_core.records import LETTERS, OPTION_LETTERS, Example, Mode, Rejection
from blip_core.scoring.accuracy import wilson

_NAMES: dict[Mode, str] = {
    "blind": "blind accuracy",
    "description-only": "accuracy from the description alone",
}
GUESSING = "accuracy of guessing"


def ask_blind(rows: Sequence[Example], settings: Blind, judge: Judge) -> Weighed:
    """Measure how often a model is right that sees options and question, and the label's description or not.

    Each with its 95 % interval (Wilson 1927), beside what guessing gives. Reason, where rows are dropped:
    `answered-blind`.

    Raises:
        StageFailure: The judge does not tell how likely it finds answers.
    """
    if not isinstance(judge, Weighing):
        raise StageFailure(
            f"the judge {settings.variant} does not tell how likely it finds an answer; name another variant "
            "(curation.blind.variant)"
        )
    if not rows:
        return [], [], {}, {}
    measured = {GUESSING: sum(1 / row.offered for row in rows) / len(rows)}
    for mode, name in _NAMES.items():
        measured |= _interval(name, sum(bool(one.is_right) for one in judge.weigh(rows, mode)), len(rows))
    if not settings.drop:
        return list(rows), [], {}, measured
    always = _right_in_every_order(rows, judge)

    def drop(row: Example) -> Rejection | None:
        if id(row) not in always:
            return None
        return refuse(row, "answered-blind", f"{settings.variant} needs no picture: {row.question}")

    return *part(rows, drop), {}, measured


def _interval(name: str, right: int, rows: int) -> dict[str, float]:
    share = wilson(right, rows)
    return {name: share.value, f"{name}, low": share.low, f"{name}, high": share.high}


def _right_in_every_order(rows: Sequence[Example], judge: Weighing) -> set[int]:
    """Rows that are answered rightly without a picture at whichever letter the right option stands."""
    left = list(rows)
    for places in range(max((row.offered for row in rows), default=len(LETTERS))):
        weights = judge.weigh([_moved(row, places) for row in left], "blind")
        left = [row for row, weight in zip(left, weights, strict=True) if weight.is_right]
    return set(map(id, left))


def _moved(row: Example, places: int) -> Example:
    """A question with its options moved up by some places, and the letter of the right one with them."""
    count, right = row.offered, OPTION_LETTERS.index(row.answer)
    options = [row.options[(place + places) % count] for place in range(count)]
    letter = OPTION_LETTERS[(right - places) % count]
    return replace(row, answer=letter).with_options([*options, *row.options[count:]])


GATE = Gate(
    "blind",
    "questions that are answered without the picture, where it is told to; else it measures them",
    Blind,
    ask_blind,
    kinds=frozenset({"mcq"}),
    port="judge",
)
