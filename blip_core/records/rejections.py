"""Rows that were refused, with their reasons, and what is said of many of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from blip_core.errors import escaped
from blip_core.records.rows import Row

MAX_DETAIL_CHARS = 1_000
_EXAMPLE_CHARS = 240  # a sentence that says what to do, with a name in it


@dataclass(frozen=True, slots=True)
class Rejection(Row):
    """A row that a stage refused; `reason` is a short stable slug, `detail` says what was seen.

    Id and detail quote what nobody checked: they are cut, and what cannot be printed or kept as UTF-8 is
    written as an escape.
    """

    id: str
    stage: str
    reason: str
    detail: str

    def __post_init__(self) -> None:
        for name in ("id", "detail"):
            object.__setattr__(self, name, _keepable(getattr(self, name)))


def sum_up(rejections: Iterable[Rejection]) -> str:
    """Count rejections by reason, most frequent first, each with its first example."""
    rows = list(rejections)
    first: dict[str, Rejection] = {}
    for row in rows:
        first.setdefault(row.reason, row)
    counts = Counter(row.reason for row in rows).most_common()
    return "; ".join(f"{reason} {count}, such as {_example(first[reason])}" for reason, count in counts)


def _example(rejection: Rejection) -> str:
    return f"{rejection.id} ({rejection.detail[:_EXAMPLE_CHARS]})"


def _keepable(text: str) -> str:
    shown = "".join(char if char.isprintable() else escaped(char) for char in text[: MAX_DETAIL_CHARS + 1])
    return shown if len(shown) <= MAX_DETAIL_CHARS else shown[: MAX_DETAIL_CHARS - 1] + "…"
