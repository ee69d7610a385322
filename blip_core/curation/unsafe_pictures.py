"""Gate: pictures that a classifier takes for safe.

What a painter's own checker flags is refused where pictures are painted; this gate is for pictures from
outside and for painters that bring none.
"""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.ports import PictureCheck
from blip_core.recipes.unsafe_pictures import UnsafePictures
from blip_core.records import Example, Rejection


def refuse_unsafe_pictures(rows: Sequence[Example], settings: UnsafePictures, check: PictureCheck) -> Kept:
    """Refuse rows whose picture is likelier unsafe than allowed; each picture is looked at once.

    Reasons: `unsafe-picture`, `unreadable-picture`.

    Raises:
        StageFailure: The model does not answer for each picture.
    """
    pictures = list(dict.fromkeys(row.image for row in rows))
    found = dict(zip(pictures, check.check(pictures), strict=True))

    def judge(row: Example) -> Rejection | None:
        said = found[row.image]
        if isinstance(said, str):
            return refuse(row, "unreadable-picture", said)
        if said <= settings.max_score:
            return None
        detail = f"unsafe with probability {said:.2f}, at most {settings.max_score:g}"
        return refuse(row, "unsafe-picture", detail)

    return part(rows, judge)


GATE = Gate(
    "unsafe_pictures",
    "pictures that a classifier takes for unsafe",
    UnsafePictures,
    refuse_unsafe_pictures,
    port="safety checker",
)
