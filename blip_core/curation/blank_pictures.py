"""Gate: pictures that show something."""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.looks import look_of
from blip_core.errors import TableError
from blip_core.recipes.curation import BlankPictures
from blip_core.records import Example, Rejection


def refuse_blank_pictures(rows: Sequence[Example], settings: BlankPictures) -> Kept:
    """Refuse pictures whose grey levels deviate by less than `min_deviation` (of 255), and unreadable ones.

    Reasons: `blank-picture`, `unreadable-picture`.
    """
    return part(rows, lambda row: _judge(row, settings.min_deviation))


def _judge(row: Example, min_deviation: float) -> Rejection | None:
    try:
        deviation = look_of(row).deviation
    except TableError as error:
        return refuse(row, "unreadable-picture", str(error))
    if deviation < min_deviation:
        return refuse(row, "blank-picture", f"deviation {deviation:.1f} of 255, at least {min_deviation:g}")
    return None


GATE = Gate("blank_pictures", "pictures that show nothing", BlankPictures, refuse_blank_pictures)
