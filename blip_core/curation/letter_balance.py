"""Gate: no answer letter stands out."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil

from blip_core.curation.gate import Kept, part, refuse
from blip_core.recipes.curation import LetterBalance
from blip_core.records import Example, Rejection


def balance_letters(rows: Sequence[Example], settings: LetterBalance) -> Kept:
    """Refuse the surplus of answer letters that more than `max_share` of the questions have.

    Which rows go is drawn by a hash of their ids. Where no number of rows can meet the share, because too
    few letters occur, it is met up to one row, so that few rows are not refused altogether. Options are
    shuffled where labels are read, so little is left to do here.

    Reason: `letter-surplus`.
    """
    by_letter: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.task == "mcq":
            by_letter[row.answer].append(row.id)
    most = _most_a_letter(
        Counter({letter: len(ids) for letter, ids in by_letter.items()}), settings.max_share
    )
    kept = {name for ids in by_letter.values() for name in sorted(ids, key=_draw)[:most]}

    def judge(row: Example) -> Rejection | None:
        if row.task != "mcq" or row.id in kept:
            return None
        detail = f"{row.answer} is right in {len(by_letter[row.answer])} of {len(rows)} rows, {most} are kept"
        return refuse(row, "letter-surplus", detail)

    return part(rows, judge)


def _most_a_letter(counts: Counter[str], max_share: float) -> int:
    """The largest number of rows a letter may have such that none has more than its share of what is left."""
    caps = range(max(counts.values(), default=0), 0, -1)
    left = {most: sum(min(count, most) for count in counts.values()) for most in caps}
    held = (most for most in caps if most <= max_share * left[most])
    nearly_held = (most for most in caps if most <= ceil(max_share * left[most]))
    return next(held, next(nearly_held, 0))


def _draw(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
