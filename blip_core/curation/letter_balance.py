"""Gate: no answer letter stands out."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import ceil

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.recipes.curation import LetterBalance
from blip_core.records import LETTERS, Example, Rejection

_CHANCE_OF_FOUR = 1 / len(LETTERS)


def balance_letters(rows: Sequence[Example], settings: LetterBalance) -> Kept:
    """Refuse the surplus of answer letters that are right more often than their share allows.

    Questions are judged among those with as many options, by the share that suits that number, see
    `allowed_share`. Which rows go is drawn by a hash of their ids, so that their order does not matter. Where
    no number of rows can meet the share, because too few letters occur, it is met up to one row, so that few
    rows are not refused altogether. Options are shuffled where labels are read, so little is left to do here.

    Reason: `letter-surplus`.
    """
    by_options: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_options[row.offered][row.answer].append(row.id)
    groups = {
        offered: _Group(by_letter, _most_a_letter(_counted(by_letter), allowed_share(settings, offered)))
        for offered, by_letter in by_options.items()
    }

    def judge(row: Example) -> Rejection | None:
        group = groups[row.offered]
        if row.id in group.kept:
            return None
        named = f" of {row.offered} options" if len(groups) > 1 else ""
        detail = (
            f"{row.answer} is right in {len(group.by_letter[row.answer])} of {group.rows} rows{named}, "
            f"{group.most} are kept"
        )
        return refuse(row, "letter-surplus", detail)

    return part(rows, judge)


def allowed_share(settings: LetterBalance, offered: int) -> float:
    """Largest share that one letter may have among questions of so many options.

    `max_share` is meant for four, where chance is a quarter. It lies a part of the way from chance to
    certainty; with another number of options the share lies the same part of that way, which begins at 1 /
    `offered`. A model that always answers the commonest letter so has the same chance-corrected score,
    (share - chance) / (1 - chance), whatever the number of options.
    """
    beyond_four = (1 / offered - _CHANCE_OF_FOUR) / (1 - _CHANCE_OF_FOUR)
    return settings.max_share + (1 - settings.max_share) * beyond_four


class _Group:
    """Questions with as many options: their ids by letter, and which of them are kept."""

    def __init__(self, by_letter: Mapping[str, Sequence[str]], most: int) -> None:
        self.by_letter = by_letter
        self.most = most
        self.rows = sum(map(len, by_letter.values()))
        self.kept = {name for ids in by_letter.values() for name in sorted(ids, key=_draw)[:most]}


def _counted(by_letter: Mapping[str, Sequence[str]]) -> Counter[str]:
    return Counter({letter: len(ids) for letter, ids in by_letter.items()})


def _most_a_letter(counts: Counter[str], max_share: float) -> int:
    """The largest number of rows a letter may have such that none has more than its share of what is left."""
    caps = range(max(counts.values(), default=0), 0, -1)
    left = {most: sum(min(count, most) for count in counts.values()) for most in caps}
    held = (most for most in caps if most <= max_share * left[most])
    nearly_held = (most for most in caps if most <= ceil(max_share * left[most]))
    return next(held, next(nearly_held, 0))


def _draw(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


GATE = Gate(
    "letter_balance",
    "rows of a letter that is right more often than its share",
    LetterBalance,
    balance_letters,
    kinds=frozenset({"mcq"}),
)
