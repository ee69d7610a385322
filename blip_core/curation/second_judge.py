"""Gate: a second model answers the question as the labeller does, or finds what it says likely."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

from blip_core.curation.figures import BOUND
from blip_core.curation.gate import Gate, Weighed, part, refuse
from blip_core.curation.strata import Bounds, first_rows
from blip_core.errors import StageFailure
from blip_core.ports import Judge, Weighing
from blip_core.recipes.curation import SecondJudge
from blip_core.records import OPTION_LETTERS, Example, Rejection
from blip_core.texts import loose

ENOUGH_TO_JUDGE = 50  # rows; of fewer, a judge may be at odds with nearly all for good reasons
AGREEMENT, ANSWERED = "agreement", "answered"
_NO_GUESS = 1.64  # standard deviations above guessing: one-sided 5 %


def ask_second_judge(rows: Sequence[Example], settings: SecondJudge, judge: Judge) -> Weighed:
    """Refuse rows that another model is of another opinion about.

    By answer, rows whose question it answers in another way; one that it cannot answer passes. By likelihood,
    in each stratum those with the lowest ranks: a row's rank is the lower one of those of its answer's and
    of its description's likelihood, so that either may tell a label that is wrong.
    Reasons: `second-judge-disagrees`, `second-judge-doubts`.

    Raises:
        StageFailure: The judge answers no better than guessing would, or hardly at all, or cannot weigh.
    """
    return (
        _by_likelihood(rows, settings, judge)
        if settings.by == "likelihood"
        else _by_answer(rows, settings, judge)
    )


def _by_answer(rows: Sequence[Example], settings: SecondJudge, judge: Judge) -> Weighed:
    answers = dict(zip(map(id, rows), judge.answer(rows), strict=True))
    said = [(row, answers[id(row)]) for row in rows if answers[id(row)]]
    agreed = sum(_agrees(row, answer) for row, answer in said)
    _refuse_nonsense(rows, said, agreed, settings.variant)
    measured = {AGREEMENT: agreed / len(said), ANSWERED: len(said) / len(rows)} if said else {}
    return *part(rows, lambda row: _judge(row, answers[id(row)], settings.variant)), {}, measured


def _judge(row: Example, said: str, judge: str) -> Rejection | None:
    if not said or _agrees(row, said):
        return None
    right = row.answer or row.target
    detail = f"{judge} answers {_named(row, said)}, the label says {_named(row, right)}: {row.question}"
    return refuse(row, "second-judge-disagrees", detail)


def _agrees(row: Example, said: str) -> bool:
    return loose(said) == loose(row.answer or row.target)


def _named(row: Example, answer: str) -> str:
    """An answer; a letter with its option."""
    if not row.answer or answer not in OPTION_LETTERS[: row.offered]:
        return repr(answer)
    return f"{answer} ({row.options[OPTION_LETTERS.index(answer)]})"


def _refuse_nonsense(
    rows: Sequence[Example], said: Sequence[tuple[Example, str]], agreed: int, judge: str
) -> None:
    """Stop where a judge does no better than guessing: it would refuse good rows and bad ones alike."""
    if len(rows) < ENOUGH_TO_JUDGE:
        return
    chances = [1 / row.offered if row.answer else 0.0 for row, _ in said]
    guessed, spread = sum(chances), math.sqrt(sum(chance * (1 - chance) for chance in chances))
    if said and agreed > guessed + _NO_GUESS * spread:
        return
    example = f"; of {said[0][0].id} it says {said[0][1]!r}" if said else ""
    raise StageFailure(
        f"the judge {judge} answers {len(said)} of {len(rows)} rows and agrees with {agreed} labels, "
        f"where guessing would agree with {guessed:.0f}{example}: either it or the labels are no better than "
        "chance, so that nothing was refused; look at some labels, or name another variant "
        "(curation.second_judge.variant)"
    )


def _by_likelihood(rows: Sequence[Example], settings: SecondJudge, judge: Judge) -> Weighed:
    if not isinstance(judge, Weighing):
        raise StageFailure(
            f"the judge {settings.variant} does not tell how likely it finds a label; set "
            "curation.second_judge.by to answer, or name another variant"
        )
    weights = dict(zip(map(id, rows), judge.weigh(rows), strict=True))
    if not rows:
        return [], [], {}, {}
    answer_rank = _ranks(rows, lambda row: weights[id(row)].answer)
    described_rank = _ranks(rows, lambda row: weights[id(row)].description)
    ranks = {id(row): min(answer_rank(row), described_rank(row)) for row in rows}
    _refuse_one_opinion(rows, ranks, settings.variant)
    bounds = Bounds([(row, ranks[id(row)]) for row in rows], settings.refused_share, settings.strata)

    def judge_row(row: Example) -> Rejection | None:
        rank, bound = ranks[id(row)], bounds.of(row)
        if rank >= bound:
            return None
        detail = (
            f"{settings.variant} ranks answer and description at {rank:.2f} and above, at least {bound:.2f}: "
            f"{row.description}"
        )
        return refuse(row, "second-judge-doubts", detail)

    return *part(rows, judge_row), {}, {f"{BOUND}{name}": value for name, value in bounds.values.items()}


def _ranks(rows: Sequence[Example], weight: Callable[[Example], float | None]) -> Callable[[Example], float]:
    """Tells what share of the first rows a row is likelier than, 0 to 1; 1 where nothing is told of it."""
    ordered = sorted(one for row in first_rows(rows) if (one := weight(row)) is not None)

    def rank(row: Example) -> float:
        own = weight(row)
        return 1.0 if own is None or not ordered else bisect_left(ordered, own) / len(ordered)

    return rank


def _refuse_one_opinion(rows: Sequence[Example], ranks: dict[int, float], judge: str) -> None:
    if len(rows) < ENOUGH_TO_JUDGE or len(set(ranks.values())) > 1:
        return
    raise StageFailure(
        f"the judge {judge} finds all {len(rows)} labels equally likely, so that it tells none from another; "
        "name another variant (curation.second_judge.variant)"
    )


GATE = Gate(
    "second_judge",
    "questions that another model answers in another way, or labels that it finds unlikely",
    SecondJudge,
    ask_second_judge,
    kinds=frozenset({"mcq", "vqa"}),
    port="judge",
)
