"""Gate: texts that come to an end."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.recipes.curation_of_texts import Unfinished
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.wording import is_finished

_SHOWN_CHARS = 60


def check_ends(rows: Sequence[Example], settings: Unfinished) -> Kept:
    """Refuse rows whose description does not end as sentences do; captions are often none.

    Reason: `unfinished-text`.
    """
    del settings

    def judge(row: Example) -> Rejection | None:
        text = kind_of(row.task).described(row)
        if not text or is_finished(text):
            return None
        return refuse(row, "unfinished-text", f"it ends in {text[-_SHOWN_CHARS:]!r}")

    return part(rows, judge)


GATE = Gate("unfinished", "texts that end before their sentence does", Unfinished, check_ends)
