"""Gate: answers that are right often enough to be learnt."""

from collections import Counter
from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.recipes.curation import SingleAnswers
from blip_core.records import Example, Rejection
from blip_core.texts import loose


def check_answers(rows: Sequence[Example], settings: SingleAnswers) -> Kept:
    """Refuse free answers that too few rows have: what is right once alone is learnt by heart.

    Reason: `rare-answer`.
    """
    times = Counter(loose(row.target) for row in rows)

    def judge(row: Example) -> Rejection | None:
        seen = times[loose(row.target)]
        if seen >= settings.min_rows:
            return None
        return refuse(
            row, "rare-answer", f"{row.target!r} is right {seen} time(s), at least {settings.min_rows}"
        )

    return part(rows, judge)


GATE = Gate(
    "single_answers",
    "free answers that too few rows have",
    SingleAnswers,
    check_answers,
    kinds=frozenset({"vqa"}),
)
