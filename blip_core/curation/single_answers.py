"""Gate: answers that are right often enough to be learnt."""

from collections import Counter
from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.steps import by_step
from blip_core.recipes.curation import SingleAnswers
from blip_core.records import Example, Rejection
from blip_core.texts import loose


def check_answers(rows: Sequence[Example], settings: SingleAnswers) -> Kept:
    """Refuse free answers that too few rows have: what is right once alone is learnt by heart.

    Rows of each step of growth are counted together with all older ones, and no later row changes what became
    of them.

    Reason: `rare-answer`.
    """
    rare: dict[str, Rejection] = {}
    times: Counter[str] = Counter()
    for step in by_step(rows):
        times.update(loose(row.target) for row in step)
        for row in step:
            seen = times[loose(row.target)]
            if seen < settings.min_rows:
                detail = f"{row.target!r} is right {seen} time(s), at least {settings.min_rows}"
                rare[row.id] = refuse(row, "rare-answer", detail)
    return part(rows, lambda row: rare.get(row.id))


GATE = Gate(
    "single_answers",
    "free answers that too few rows have",
    SingleAnswers,
    check_answers,
    kinds=frozenset({"vqa"}),
)
