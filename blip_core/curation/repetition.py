"""Gate: texts that do not say the same again and again."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.recipes.curation_of_texts import Repetition
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.wording import repetition


def check_repetition(rows: Sequence[Example], settings: Repetition) -> Kept:
    """Refuse rows whose description repeats itself, measured as `repetition` of answers is.

    Reason: `repeats-itself`.
    """

    def judge(row: Example) -> Rejection | None:
        share = repetition(kind_of(row.task).described(row)) or 0.0
        if share <= settings.max_share:
            return None
        return refuse(row, "repeats-itself", f"{share:.0%} of its phrases come again: {row.target!r}")

    return part(rows, judge)


GATE = Gate("repetition", "texts that repeat themselves", Repetition, check_repetition)
