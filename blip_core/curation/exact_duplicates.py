"""Gate: no example twice."""

import hashlib
from collections.abc import Sequence

from blip_core.curation.gate import Kept, normalised, part, refuse
from blip_core.recipes.curation import ExactDuplicates
from blip_core.records import Example, Rejection


def refuse_exact_duplicates(rows: Sequence[Example], settings: ExactDuplicates) -> Kept:
    """Keep the first row of each picture (by its bytes) and question; for captions, of each caption.

    Reason: `exact-duplicate`.
    """
    del settings  # the gate has no dial beyond on and off
    first: dict[tuple[str, str], str] = {}

    def judge(row: Example) -> Rejection | None:
        asked = row.target if row.task == "caption" else row.question
        original = first.setdefault((hashlib.sha256(row.image).hexdigest(), normalised(asked)), row.id)
        if original == row.id:
            return None
        return refuse(row, "exact-duplicate", f"the same picture and question as {original}")

    return part(rows, judge)
