"""Gate: no example twice."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.recipes.curation import ExactDuplicates
from blip_core.records import Example, Rejection
from blip_core.texts import exact


def refuse_exact_duplicates(rows: Sequence[Example], settings: ExactDuplicates) -> Kept:
    """Keep the first row of each picture (by its bytes), question and context; for captions, of each caption.

    With other options, all of them, it is another question: "Which of these is true?".

    Reason: `exact-duplicate`.
    """
    del settings  # the gate has no dial beyond on and off
    earlier: dict[tuple[str, str, str], list[Example]] = defaultdict(list)

    def judge(row: Example) -> Rejection | None:
        asked = exact(kind_of(row.task).asked(row))
        same = earlier[hashlib.sha256(row.image).hexdigest(), asked, exact(row.context)]
        original = next((one for one in same if _options(one) & _options(row)), None)
        if original is None:
            same.append(row)
            return None
        return refuse(row, "exact-duplicate", f"the same picture and question as {original.id}")

    return part(rows, judge)


def _options(row: Example) -> set[str]:
    """What can be answered; where answers are free, rows share the empty option."""
    return {exact(option) for option in kind_of(row.task).choices(row)}


GATE = Gate(
    "exact_duplicates", "the same question about the same picture", ExactDuplicates, refuse_exact_duplicates
)
