"""Which rows people look at: a sample, or those that measures doubt, models disagree on or gates refused."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from blip_core.errors import EmptyDataset, UserMistake
from blip_core.records import Example, Prediction, Rejection

Of = Literal["sample", "doubted", "disagreed", "refused"]
OF: tuple[Of, ...] = ("sample", "doubted", "disagreed", "refused")
MAX_ROWS = 1_000
"""Of one page: with their pictures they stay below 40 MB."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A row to look at, and why, for people; may be empty. `refused` says why gates refused it."""

    id: str
    why: str = ""
    refused: str = ""


def choose(
    texts: Callable[[], Iterable[Example]],
    of: Of,
    count: int,
    by: str = "",
    predictions: Iterable[Prediction] = (),
    seed: int = 0,
    refused: Iterable[Rejection] = (),
) -> list[Choice]:
    """Choose rows, in the order in which they are to be looked at.

    Args:
        texts: gives the rows, pictures or not, anew each time.
        of: `sample` draws by a hash of id and seed, whatever the rows' order; `doubted` takes the lowest
            scores first; `disagreed` takes rows that models answered differently, or all alike against the
            label, most such models first; `refused` draws among those that gates refused, of each reason as
            many.
        count: how many at most.
        by: name of the score that doubts, empty where rows have only one; or the one reason of refusals.
        predictions: of all models about these rows.
        seed: of the sample.
        refused: what gates refused.

    Raises:
        EmptyDataset: There is no such row.
        UserMistake: The score is not there, or has to be named.
    """
    if of == "sample":
        found = _sample(texts(), seed)
    elif of == "doubted":
        found = _doubted(texts, by)
    elif of == "refused":
        found = _refused(list(refused), by, seed)
    else:
        found = _disagreed(texts(), predictions)
    if not found:
        raise EmptyDataset(f"there is no row to review: {_NONE[of]}")
    return found[:count]


_NONE = {
    "sample": "the dataset has none",
    "doubted": "the dataset has none",
    "disagreed": "no two models answered a row of it differently, or against its label; answers come from "
    "`foundry compare` with evaluation.kind=split",
    "refused": "gates refused none",
}


def _sample(rows: Iterable[Example], seed: int) -> list[Choice]:
    names = (row.id for row in rows)
    return [Choice(name) for name in sorted(names, key=lambda name: _drawn(f"{seed} {name}"))]


def _doubted(texts: Callable[[], Iterable[Example]], by: str) -> list[Choice]:
    scored = {name for row in texts() for name in row.scores}
    name = by or (next(iter(scored)) if len(scored) == 1 else "")
    if name not in scored:
        there = ", ".join(sorted(scored)) or "none; gates and steps that measure rows store them"
        raise UserMistake(
            f"rows are doubted by a score, {name or 'which one is not said'!r}; there is {there}"
        )
    found = [(row.scores[name], row.id) for row in texts() if name in row.scores]
    return [Choice(row_id, f"{name} {score:.3g}") for score, row_id in sorted(found)]


def _refused(refused: Sequence[Rejection], by: str, seed: int) -> list[Choice]:
    reasons = sorted({one.reason for one in refused})
    if by and reasons and by not in reasons:
        raise UserMistake(f"gates refused no row for the reason {by!r}; there is {', '.join(reasons)}")
    waiting: dict[str, list[Rejection]] = {name: [] for name in reasons if by in ("", name)}
    for one in sorted(refused, key=lambda one: _drawn(f"{seed} {one.id}")):
        waiting.get(one.reason, []).append(one)
    in_turn = (one for turn in zip_longest(*waiting.values()) for one in turn if one is not None)
    return [Choice(one.id, refused=f"{one.reason}: {one.detail}") for one in in_turn]


def _disagreed(rows: Iterable[Example], predictions: Iterable[Prediction]) -> list[Choice]:
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for one in predictions:
        said = one.ranked or one.generated.strip()
        if said and one.mode == "both":
            answers[one.id][one.variant] = said
    found = [(row, answers[row.id]) for row in rows if row.id in answers]
    odd = [(_against(row, said), row.id, said) for row, said in found if _is_odd(row, said)]
    return [
        Choice(row_id, "; ".join(f"{who}: {what}" for who, what in sorted(said.items())))
        for _, row_id, said in sorted(odd, key=lambda one: (-one[0], _drawn(one[1])))
    ]


def _is_odd(row: Example, said: Mapping[str, str]) -> bool:
    return len(set(said.values())) > 1 or (bool(row.answer) and row.answer not in said.values())


def _against(row: Example, said: Mapping[str, str]) -> int:
    return sum(what != row.answer for what in said.values())


def _drawn(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
