"""Gate: answers that are right nearly whenever they are offered: a labeller that is stuck on one text.

Whether a text is stuck is known only of many rows: this gate looks at all of them, and rows that come later
may refuse earlier ones. Questions of two options are left alone: of yes and no, one is right more often.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.recipes.curation import StuckAnswers
from blip_core.records import Example, Rejection
from blip_core.texts import loose

_FEWEST_OPTIONS = 3


def refuse_stuck_answers(rows: Sequence[Example], settings: StuckAnswers) -> Kept:
    """Refuse rows whose answer is right in too many of the rows that offer it.

    Reason: `stuck-answer`.
    """
    stuck = stuck_texts(rows, settings)

    def judge(row: Example) -> Rejection | None:
        detail = stuck.get(loose(row.target)) if row.offered >= _FEWEST_OPTIONS else None
        return refuse(row, "stuck-answer", detail) if detail else None

    return part(rows, judge)


def stuck_texts(rows: Sequence[Example], settings: StuckAnswers) -> dict[str, str]:
    """Answers that are stuck, each with what was counted.

    Without their rows other shares are left, so the count is repeated until no text is stuck.
    """
    stuck: dict[str, str] = {}
    left = [row for row in rows if row.offered >= _FEWEST_OPTIONS]
    while found := _stuck(left, settings):
        stuck |= found
        left = [row for row in left if loose(row.target) not in found]
    return stuck


def _stuck(rows: Collection[Example], settings: StuckAnswers) -> dict[str, str]:
    """Answers that are stuck among rows as they stand."""
    right = Counter(loose(row.target) for row in rows)
    offered = Counter(text for row in rows for text in {loose(one) for one in kind_of(row.task).choices(row)})
    return {
        text: f"{text!r} is right in {right[text]} of the {offered[text]} rows that offer it"
        for text in right
        if offered[text] >= settings.min_offered and right[text] >= settings.max_share * offered[text]
    }


GATE = Gate(
    "stuck_answers",
    "answers that are right nearly whenever they are offered",
    StuckAnswers,
    refuse_stuck_answers,
    kinds=frozenset({"mcq"}),
)
