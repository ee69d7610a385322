"""How right answers, kinds and categories are spread over rows."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blip_core.kinds import kind_of
from blip_core.records import OPTION_LETTERS, Example
from blip_core.texts import loose


@dataclass(frozen=True, slots=True)
class Spread:
    """Rows by letter, and how likely a spread as uneven is where all letters are equally often right."""

    counts: Mapping[str, int]
    p_value: float


@dataclass(frozen=True, slots=True)
class Spreads:
    """Of rows.

    Attributes:
        letters: by how many options the questions have.
        kinds: rows by kind of question, where rows name kinds, else by task; most frequent first, as all.
        categories: rows by category.
        answers: rows by the text of the right answer; captions are left out.
    """

    letters: Mapping[int, Spread]
    kinds: Mapping[str, int]
    categories: Mapping[str, int]
    answers: Mapping[str, int]


def spread_of(rows: Sequence[Example]) -> Spreads:
    """Count rows."""
    lettered: dict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if kind_of(row.task).has_options and kind_of(row.task).learnt(row):  # some tables tell no answer
            lettered[row.offered][row.answer] += 1
    answers = Counter(loose(row.target) for row in rows if kind_of(row.task).asks)
    return Spreads(
        letters={offered: _spread(offered, counts) for offered, counts in sorted(lettered.items())},
        kinds=dict(Counter(row.kind or row.task for row in rows).most_common()),
        categories=dict(Counter(row.category for row in rows if row.category).most_common()),
        answers=dict(answers.most_common()),
    )


def _spread(offered: int, counts: Counter[str]) -> Spread:
    from scipy.stats import chisquare  # a second to import

    every: dict[str, int] = {letter: counts[letter] for letter in OPTION_LETTERS[:offered]}
    return Spread(every, float(chisquare(list(every.values())).pvalue))
