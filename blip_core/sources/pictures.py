"""Pictures that strangers made, as rows and datasets keep them: upright and only so large."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from blip_core.images import Looked, look
from blip_core.records import Picture

MAX_KEPT_SIDE_PX = 1_024  # three times what the models look at; a camera's pixels would fill disk and memory

FIRST_OF_SEVERAL = "first-of-several"
"""Flag of a picture whose file holds more: the first frame of an animation, the first page of a scan."""


class Upright(NamedTuple):
    """An encoded picture that every reader shows alike, and a slug of what is odd about it, or nothing."""

    data: bytes
    flag: str


def upright(data: bytes, name: str) -> Upright:
    """The same picture such that every reader shows it alike; bytes that are so already are given back.

    Others become a PNG of what a viewer shows, with no side of more than `MAX_KEPT_SIDE_PX` pixels.

    Raises:
        PictureError: The bytes are no picture, see `images.decode_picture`.
    """
    looked = look(data, name, max_side_px=MAX_KEPT_SIDE_PX, keep_plain=True)
    return Upright(data if looked.is_plain else looked.data, _flag(looked))


def outside_picture(
    data: bytes, picture_id: str, category: str, flags: dict[str, str] | None = None
) -> Picture:
    """Make a picture that no scene was written for; it is a scene, and a group, of its own.

    It is made smaller where a side has more than `MAX_KEPT_SIDE_PX` pixels.

    Args:
        data: an encoded picture.
        picture_id: its id, and its scene's.
        category: what is shown, or where it lay.
        flags: receives, by id, a slug of what is odd about it.

    Raises:
        PictureError: The bytes are no picture.
    """
    looked = look(data, picture_id, max_side_px=MAX_KEPT_SIDE_PX)
    if flags is not None and (flag := _flag(looked)):
        flags[picture_id] = flag
    return Picture(
        id=picture_id,
        scene_id=picture_id,
        category=category,
        scene="",
        seed=0,
        png=looked.data,
        sha256=hashlib.sha256(looked.data).hexdigest(),
        width_px=looked.width_px,
        height_px=looked.height_px,
    )


def count_flags(flags: Mapping[str, str], kept: Iterable[str]) -> dict[str, int]:
    """How many of the rows that were kept bear each flag."""
    return dict(sorted(Counter(flags[row] for row in kept if row in flags).items()))


def _flag(looked: Looked) -> str:
    return FIRST_OF_SEVERAL if looked.is_first_of_several else ""
