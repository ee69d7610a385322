"""One step over rows: what it gives is checked, because what stands in one row decides what is learnt."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from blip_core.annotating.step import Context, Facts, Step, Worked
from blip_core.errors import EmptyDataset, NotANumber, StageFailure
from blip_core.kinds import kind_of
from blip_core.recipes import Section
from blip_core.records import ANSWER_SCORE, DESCRIPTION_SCORE, LABEL_SCORE, Example, Rejection, sum_up


def prepare(step: Step[Any], rows: Sequence[Example], settings: Section, context: Context) -> Facts:
    """What a step has to know of all rows before it works the first; empty for most."""
    return step.prepare(rows, settings, context) if step.prepare and rows else {}


def annotate(step: Step[Any], rows: Sequence[Example], settings: Section, context: Context) -> Worked:
    """Work some rows.

    Raises:
        StageFailure: The step gives something else than rows and rejections, or two rows of one id.
        NotANumber: It stores a score that is none.
    """
    given = step.work(rows, settings, context)
    if not (isinstance(given, tuple) and len(given) == 2 and all(isinstance(one, list) for one in given)):
        raise StageFailure(f"{step} gave something else than a list of rows and one of rejections")
    kept, refused = given
    if not (_all_are(kept, Example) and _all_are(refused, Rejection)):
        raise StageFailure(f"{step} gave something else than a list of rows and one of rejections")
    if len({row.id for row in kept}) < len(kept):
        raise StageFailure(f"{step} gave two rows of one id; each row must have an id of its own")
    for row in kept:
        for name, score in row.scores.items():
            if not math.isfinite(score):
                raise NotANumber(f"{row.id}: {step} scored {name} with {score}")
    before = {row.id: row for row in rows}
    return [_still_scored(row, before.get(row.id)) for row in kept], refused


def _still_scored(row: Example, before: Example | None) -> Example:
    """A row without a labeller's confidence in a text that it does not say any more."""
    described = kind_of(row.task).described
    same = {
        DESCRIPTION_SCORE: before is not None and described(row) == described(before),
        ANSWER_SCORE: before is not None and row.target == before.target,
    }
    same[LABEL_SCORE] = all(same.values())
    left = {name: score for name, score in row.scores.items() if same.get(name, True)}
    return row if len(left) == len(row.scores) else replace(row, scores=left)


def _all_are(rows: Sequence[object], kind: type) -> bool:
    return all(isinstance(row, kind) for row in rows)


def require_rows(step: str, kept: int, refused: Sequence[Rejection]) -> None:
    """Stop where a step gives up every row.

    Raises:
        EmptyDataset: It does; the message says why.
    """
    if kept or not refused:
        return
    raise EmptyDataset(
        f"the step {step} refused all of its {len(refused)} rows: {sum_up(refused)}. Mend what these rows "
        f"have in common, loosen the step (annotations.{step}), or leave it out"
    )
