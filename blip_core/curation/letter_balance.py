"""Gate: no answer letter stands out."""

from collections import defaultdict
from collections.abc import Sequence

from blip_core.curation.capping import Capped
from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.recipes.curation import LetterBalance
from blip_core.records import LETTERS, Example, Rejection

_CHANCE_OF_FOUR = 1 / len(LETTERS)


def balance_letters(rows: Sequence[Example], settings: LetterBalance) -> Kept:
    """Refuse the surplus of answer letters that are right more often than their share allows.

    Questions are judged among those with as many options, by the share that suits that number, see
    `allowed_share`; which rows go, and what happens where a share cannot be met, see `capping`. Options are
    shuffled where labels are read, so little is left to do here.

    Reason: `letter-surplus`.
    """
    by_options: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        by_options[row.offered].append((row.answer, row.id))
    groups = {
        offered: Capped(lettered, allowed_share(settings, offered))
        for offered, lettered in by_options.items()
    }

    def judge(row: Example) -> Rejection | None:
        group = groups[row.offered]
        if row.id in group.kept:
            return None
        named = f" of {row.offered} options" if len(groups) > 1 else ""
        detail = (
            f"{row.answer} is right in {len(group.by_value[row.answer])} of {group.rows} rows{named}, "
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


GATE = Gate(
    "letter_balance",
    "rows of a letter that is right more often than its share",
    LetterBalance,
    balance_letters,
    kinds=frozenset({"mcq"}),
)
