"""Pictures that strangers made, as rows and datasets keep them: upright and only so large."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from blip_core.images import Opened, as_shown, is_plain, open_picture
from blip_core.painting import encode_png
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
    with open_picture(data, name) as opened:
        shown = data if is_plain(opened) else encode_png(as_shown(opened, MAX_KEPT_SIDE_PX))
        return Upright(shown, _flag(opened))


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
    with open_picture(data, picture_id) as opened:
        image = as_shown(opened, MAX_KEPT_SIDE_PX)
        if flags is not None and (flag := _flag(opened)):
            flags[picture_id] = flag
    png = encode_png(image)
    return Picture(
        id=picture_id,
        scene_id=picture_id,
        category=category,
        scene="",
        seed=0,
        png=png,
        sha256=hashlib.sha256(png).hexdigest(),
        width_px=image.width,
        height_px=image.height,
    )


def count_flags(flags: Mapping[str, str], kept: Iterable[str]) -> dict[str, int]:
    """How many of the rows that were kept bear each flag."""
    return dict(sorted(Counter(flags[row] for row in kept if row in flags).items()))


def _flag(opened: Opened) -> str:
    return FIRST_OF_SEVERAL if opened.is_first_of_several else ""
