"""What all gates share: rows go in, kept rows and explained rejections come out."""

from collections.abc import Callable, Sequence

from blip_core.records import Example, Rejection

STAGE = "curation"

Kept = tuple[list[Example], list[Rejection]]


def refuse(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection(row.id, STAGE, reason, detail)


def part(rows: Sequence[Example], judge: Callable[[Example], Rejection | None]) -> Kept:
    """Part rows by a judge who looks at one after the other; None lets a row pass."""
    kept: list[Example] = []
    refused: list[Rejection] = []
    for row in rows:
        rejection = judge(row)
        if rejection is None:
            kept.append(row)
        else:
            refused.append(rejection)
    return kept, refused
