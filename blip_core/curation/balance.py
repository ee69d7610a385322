"""Gate: no kind of question, category or answer has more than its share.

Shares are known only of all rows: this gate looks at all of them, and rows that come later may let others
stay or go. Which rows go is drawn by a hash of their ids.
"""

from collections.abc import Callable, Iterator, Sequence

from blip_core.curation.capping import Capped
from blip_core.curation.gate import Gate, Kept, refuse
from blip_core.kinds import kind_of
from blip_core.recipes.curation import Balance
from blip_core.records import Example, Rejection
from blip_core.texts import loose

Value = Callable[[Example], str | None]
"""What is balanced of a row; None, the row is left alone."""


def balance_values(rows: Sequence[Example], settings: Balance) -> Kept:
    """Refuse the surplus of kinds, categories and answer texts, each in turn until none is left.

    No share is asked for that as many values as there are could not meet: of two kinds one may have half.

    Reasons: `kind-surplus`, `category-surplus`, `answer-surplus`.
    """
    kept, refused = list(rows), list[Rejection]()
    while surplus := dict(_surplus(kept, settings)):
        refused += [surplus[row.id] for row in kept if row.id in surplus]
        kept = [row for row in kept if row.id not in surplus]
    return kept, refused


def _surplus(rows: Sequence[Example], settings: Balance) -> Iterator[tuple[str, Rejection]]:
    """Rows of the first value that has more than its share, each with what was counted."""
    for name, value, max_share in (
        ("kind", _kind, settings.max_kind_share),
        ("category", _category, settings.max_category_share),
        ("answer", _answer, settings.max_answer_share),
    ):
        found = list(_beyond(rows, name, value, max_share)) if max_share < 1.0 else []
        if found:
            yield from found
            return


def _beyond(
    rows: Sequence[Example], name: str, value: Value, max_share: float
) -> Iterator[tuple[str, Rejection]]:
    valued = [(of_row, row) for row in rows if (of_row := value(row)) is not None]
    values = {of_row for of_row, _ in valued}
    if len(values) < 2:
        return
    group = Capped(((of_row, row.id) for of_row, row in valued), max(max_share, 1 / len(values)))
    for of_row, row in valued:
        if row.id not in group.kept:
            detail = (
                f"{name} {of_row!r} has {len(group.by_value[of_row])} of {group.rows} rows, "
                f"{group.most} are kept"
            )
            yield row.id, refuse(row, f"{name}-surplus", detail)


def _kind(row: Example) -> str:
    return row.kind or row.task


def _category(row: Example) -> str:
    return row.category


def _answer(row: Example) -> str | None:
    return loose(row.target) if kind_of(row.task).asks else None


GATE = Gate(
    "balance", "kinds, categories and answers that have more than their share", Balance, balance_values
)
