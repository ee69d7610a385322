"""Gate: pictures that a classifier takes for safe.

What a painter's own checker flags is refused where pictures are painted; this gate is for pictures from
outside and for painters that bring none.
"""

from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.errors import StageFailure, TableError
from blip_core.images import decode_picture
from blip_core.ports import SafetyChecker
from blip_core.recipes.unsafe_pictures import UnsafePictures
from blip_core.records import Example, Rejection


def refuse_unsafe_pictures(rows: Sequence[Example], settings: UnsafePictures, checker: SafetyChecker) -> Kept:
    """Refuse rows whose picture is likelier unsafe than allowed; each picture is looked at once.

    Reasons: `unsafe-picture`, `unreadable-picture`.

    Raises:
        StageFailure: The checker does not answer for each picture.
    """
    scores, broken = _scores(rows, settings.batch_size, checker)

    def judge(row: Example) -> Rejection | None:
        if row.image in broken:
            return refuse(row, "unreadable-picture", broken[row.image])
        score = scores[row.image]
        if score <= settings.max_score:
            return None
        detail = f"unsafe with probability {score:.2f}, at most {settings.max_score:g}"
        return refuse(row, "unsafe-picture", detail)

    return part(rows, judge)


def _scores(
    rows: Sequence[Example], batch_size: int, checker: SafetyChecker
) -> tuple[dict[bytes, float], dict[bytes, str]]:
    """How likely each picture is unsafe, by its bytes, and why some could not be looked at."""
    pictures = list(dict.fromkeys(row.image for row in rows))
    scores: dict[bytes, float] = {}
    broken: dict[bytes, str] = {}
    for start in range(0, len(pictures), batch_size):
        shown = {}
        for image in pictures[start : start + batch_size]:
            try:
                shown[image] = decode_picture(image, "its picture")
            except TableError as error:
                broken[image] = str(error)
        said = checker.unsafe(list(shown.values())) if shown else []
        if len(said) != len(shown):
            raise StageFailure(f"the safety checker gave {len(said)} answers about {len(shown)} pictures")
        scores |= dict(zip(shown, said, strict=True))
    return scores, broken


GATE = Gate(
    "unsafe_pictures",
    "pictures that a classifier takes for unsafe",
    UnsafePictures,
    refuse_unsafe_pictures,
    port="safety checker",
)
