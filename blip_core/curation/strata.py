"""Rows that are as hard as each other, so that a gate refuses as many of the hard ones as of the easy.

What a model is unsure of is first of all what is hard: three groups of things rather than one, a number
rather than a place. A gate that refuses the lowest scores of all would leave easy rows alone. So each row is
held against those of its stratum: its kind of question, its category, and how many things its picture shows.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from blip_core.curation.steps import SCENES_PER_STEP, step_of
from blip_core.records import Example

Stratum = tuple[str, ...]

FIRST_GROUPS = SCENES_PER_STEP
"""Groups (scenes) whose rows bounds are calibrated on: those that came first, and that no growth changes."""
MIN_STRATUM = 20  # rows; of fewer, a tenth is a row or two, and its bound an accident
_MOST_THINGS = 4  # more are told apart by nobody
_DIGITS = 4  # of a number of things that are read
_QUESTION_WORDS = 2  # that tell its kind, as in VQA's question types (arXiv 1612.00837, 3)
_COUNTED_IN = ("things", "groups", "objects")  # attributes that list them, or say how many
_DETERMINERS = re.compile(
    r"\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|several|some|many)\b", re.IGNORECASE
)


def kind_asked(row: Example) -> str:
    """The kind of a row's question: as the row says it, else its first two words."""
    return row.kind or " ".join(row.question.lower().split()[:_QUESTION_WORDS])


def things_shown(row: Example) -> str:
    """How many things, or groups of them, a row's picture shows: up to four.

    That is what an attribute `things`, `groups` or `objects` lists or says, else how many articles and words
    for numbers the description has: "two dogs and a cat at the sea" shows two.
    """
    for name in _COUNTED_IN:
        if told := row.attributes.get(name, "").strip():
            listed = len(told.split(","))
            return str(min(int(told[:_DIGITS]) if told.isdecimal() else listed, _MOST_THINGS))
    return str(min(len(_DETERMINERS.findall(row.description or row.target)), _MOST_THINGS))


BY: Mapping[str, Callable[[Example], str]] = {
    "things": things_shown,
    "category": lambda row: row.category,
    "kind": kind_asked,
}
"""What rows may be parted by; where strata are too small the first of these is given up first."""


class Bounds:
    """The score in each stratum below which a share of its rows lies.

    They are calibrated on the rows of the first groups, so that growth changes no verdict on an earlier row,
    and the bounds of a dataset are those of every version of it.

    Args:
        scores: by row, in the order in which rows came.
        share: of each stratum that lies below, 0 to 1.
        by: names of `BY`.

    Raises:
        ValueError: There is no row.
    """

    def __init__(self, scores: Sequence[tuple[Example, float]], share: float, by: Iterable[str]) -> None:
        self._by = [name for name in BY if name in set(by)]
        if not scores:
            raise ValueError("bounds of no rows")
        strata: dict[Stratum, list[float]] = defaultdict(list)
        first = set(map(id, first_rows([row for row, _ in scores])))
        for row, score in (one for one in scores if id(one[0]) in first):
            for stratum in self._from_finest(row):
                strata[stratum].append(score)
        whole = len(self._by) * ("",)
        self._values = {
            stratum: _quantile(found, share)
            for stratum, found in strata.items()
            if len(found) >= MIN_STRATUM or stratum == whole
        }

    def of(self, row: Example) -> float:
        """The bound of the finest stratum of a row that has enough rows to calibrate it."""
        return next(self._values[one] for one in self._from_finest(row) if one in self._values)

    @property
    def values(self) -> dict[str, float]:
        """Bounds by the name of their stratum, `all` for that of all rows."""
        return {" / ".join(filter(None, one)) or "all": value for one, value in sorted(self._values.items())}

    def _from_finest(self, row: Example) -> list[Stratum]:
        own = [BY[name](row) or "-" for name in self._by]
        return [("",) * given_up + tuple(own[given_up:]) for given_up in range(len(own) + 1)]


def first_rows(rows: Sequence[Example]) -> list[Example]:
    """Rows that bounds are calibrated on: those of the first step of growth, or else of the first groups."""
    if rows and all(row.scene for row in rows) and (found := [row for row in rows if not step_of(row)]):
        return found
    first = set(list(dict.fromkeys(row.group for row in rows))[:FIRST_GROUPS])
    return [row for row in rows if row.group in first]


def _quantile(scores: Sequence[float], share: float) -> float:
    """The lowest score that stays where a share of all, rounded, is refused; one stays at the least."""
    return sorted(scores)[min(round(share * len(scores)), len(scores) - 1)]
