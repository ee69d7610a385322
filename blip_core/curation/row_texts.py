"""The texts of a row that gates of wording look at."""

from collections.abc import Callable, Iterator, Sequence

from blip_core.curation.gate import Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.records import Example

SHOWN_CHARACTERS = 80


def texts_of(row: Example) -> Iterator[tuple[str, str]]:
    """Each text of a row once, with the field that holds it first."""
    named = [
        *((name, getattr(row, name)) for name in ("description", "question", "context", "target", "scene")),
        *(("an option", option) for option in row.options),
        *(("a reference", reference) for reference in row.references),
    ]
    seen: set[str] = set()
    for name, text in named:
        if text.strip() and text not in seen:
            seen.add(text)
            yield name, text


def prose(row: Example) -> tuple[str, str]:
    """What a row asks, with its context, and how it describes its picture; either may be empty."""
    kind = kind_of(row.task)
    asked = f"{row.context} {row.question}".strip() if kind.asks else ""
    return asked, kind.described(row)


def refuse_texts(rows: Sequence[Example], find: Callable[[str], tuple[str, str] | None]) -> Kept:
    """Refuse rows of which some text has what it should not have.

    Args:
        rows: to part.
        find: gives reason and detail of what a text has; None where it is sound.
    """

    def judge_text(row: Example) -> tuple[str, str] | None:
        for name, text in texts_of(row):
            if found := find(text):
                return found[0], f"{name}: {found[1]}"
        return None

    return part(rows, lambda row: refuse(row, *found) if (found := judge_text(row)) else None)


def shown(text: str) -> str:
    """A text in quotes, cut to what fits beside others."""
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…")
