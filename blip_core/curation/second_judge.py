"""Gate: a second model answers the question as the labeller does."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.ports import Judge
from blip_core.recipes.curation import SecondJudge
from blip_core.records import OPTION_LETTERS, Example, Rejection
from blip_core.texts import loose


def ask_second_judge(rows: Sequence[Example], settings: SecondJudge, judge: Judge) -> Kept:
    """Refuse rows whose question another model answers in another way; one that it cannot answer passes.

    Reason: `second-judge-disagrees`.
    """
    answers = dict(zip(map(id, rows), judge.answer(rows), strict=True))
    return part(rows, lambda row: _judge(row, answers[id(row)], settings.variant))


def _judge(row: Example, said: str, judge: str) -> Rejection | None:
    right = row.answer or row.target
    if not said or loose(said) == loose(right):
        return None
    detail = f"{judge} answers {_named(row, said)}, the label says {_named(row, right)}: {row.question}"
    return refuse(row, "second-judge-disagrees", detail)


def _named(row: Example, answer: str) -> str:
    """An answer; a letter with its option."""
    if not row.answer or answer not in OPTION_LETTERS[: row.offered]:
        return repr(answer)
    return f"{answer} ({row.options[OPTION_LETTERS.index(answer)]})"


GATE = Gate(
    "second_judge",
    "questions that another model answers in another way",
    SecondJudge,
    ask_second_judge,
    kinds=frozenset({"mcq", "vqa"}),
    port="judge",
)
