"""Gate: no answer letter stands out."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from blip_core.curation.capping import Capped
from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.steps import by_step
from blip_core.recipes.curation import LetterBalance
from blip_core.records import LETTERS, Example, Rejection

_CHANCE_OF_FOUR = 1 / len(LETTERS)


def balance_letters(rows: Sequence[Example], settings: LetterBalance) -> Kept:
    """Refuse the surplus of answer letters that are right more often than their share allows.

    Questions are judged among those with as many options, by the share that suits that number, see
    `allowed_share`; which rows go, and what happens where a share cannot be met, see `capping`. Rows of each
    step of growth are weighed together with what older steps left, which no later row changes. Options are
    shuffled where labels are read, so little is left to do here.

    Reason: `letter-surplus`.
    """
    surplus: dict[str, Rejection] = {}
    by_options: dict[int, list[Example]] = defaultdict(list)
    for row in rows:
        by_options[row.offered].append(row)
    for offered, asked in by_options.items():
        named = f" of {offered} options" if len(by_options) > 1 else ""
        surplus |= _surplus(asked, allowed_share(settings, offered), named)
    return part(rows, lambda row: surplus.get(row.id))


def _surplus(rows: Sequence[Example], max_share: float, named: str) -> dict[str, Rejection]:
    """Rows beyond a letter's share, step by step."""
    found: dict[str, Rejection] = {}
    left: Counter[str] = Counter()
    for step in by_step(rows):
        group = Capped(((row.answer, row.id) for row in step), max_share, left)
        for row in step:
            if row.id not in group.kept:
                right = len(group.by_value[row.answer]) + left[row.answer]
                detail = (
                    f"{row.answer} is right in {right} of {group.rows} rows{named}, {group.most} are kept"
                )
                found[row.id] = refuse(row, "letter-surplus", detail)
        left = left + Counter(row.answer for row in step if row.id in group.kept)
    return found


def allowed_share(settings: LetterBalance, offered: int) -> float:
    """Largest share that one letter may have among questions of so many options.

    `max_share` is meant for four, where chance is a quarter. It lies a part of the way from chance to
    certainty; with another number of options the share lies the same part of that way, which begins at 1 /
    `offered`. A model that always answers the commonest letter so has the same chance-corrected score,
    (share - chance) / (1 - chance), whatever the number of options.
    """
    beyond_four = (1 / offered - _CHANCE_OF_FOUR) / (1 - _CHANCE_OF_FOUR)
    return settings.max_share + (1 - settings.max_share) * beyond_four


GATE = Gate(
    "letter_balance",
    "rows of a letter that is right more often than its share",
    LetterBalance,
    balance_letters,
    kinds=frozenset({"mcq"}),
)
