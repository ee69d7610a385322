"""Gate: the same question about one picture in other words.

Two questions ask the same when they have the same right answer and share most of the words that tell
questions apart: "How many frogs are there?" and "How many frogs can be seen?", and not "How many buses are
there?". What is said in quite other words ("When was this taken?") is not found. Rows are taken oldest first,
and a row's fate depends on older rows alone.
"""

from collections import defaultdict
from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.row_texts import shown
from blip_core.curation.telling_words import telling_words
from blip_core.recipes.curation import SameQuestions
from blip_core.records import Example, Rejection
from blip_core.texts import exact, loose


def refuse_same_questions(rows: Sequence[Example], settings: SameQuestions) -> Kept:
    """Refuse rows that ask what an older row of the same picture asks, with the same answer.

    Reason: `same-question`.
    """
    earlier: dict[tuple[str, str, str], list[Example]] = defaultdict(list)

    def judge(row: Example) -> Rejection | None:
        others = earlier[row.picture_id, exact(row.context), loose(row.target)]
        twin = next((one for one in others if _ask_the_same(one, row, settings.min_similarity)), None)
        if twin is None:
            others.append(row)
            return None
        return refuse(
            row, "same-question", f"{shown(row.question)} asks what {twin.id} asks: {shown(twin.question)}"
        )

    return part(rows, judge)


def _ask_the_same(one: Example, other: Example, min_similarity: float) -> bool:
    first, second = telling_words(one.question), telling_words(other.question)
    every = first | second
    return not every or len(first & second) >= min_similarity * len(every)


GATE = Gate(
    "same_questions",
    "questions about one picture that ask the same in other words",
    SameQuestions,
    refuse_same_questions,
    kinds=frozenset({"mcq", "vqa"}),
)
