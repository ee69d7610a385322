"""What gates look at in a picture: decoded once for all of them."""

import hashlib
from dataclasses import dataclass

import imagehash
import numpy as np

from blip_core.images import decode_picture
from blip_core.records import Example

_KEPT = 200_000  # looks of pictures, some two hundred bytes each


@dataclass(frozen=True, slots=True)
class Look:
    """Of one picture.

    Attributes:
        bits: 64-bit perceptual hash: imagehash's pHash, the signs of the low frequencies of a cosine
            transform.
        deviation: standard deviation of its grey levels, of 255.
    """

    bits: int
    deviation: float


_looks: dict[bytes, Look] = {}


def look_of(row: Example) -> Look:
    """What a row's picture looks like.

    Raises:
        TableError: The picture cannot be decoded.
    """
    digest = hashlib.sha256(row.image).digest()
    look = _looks.get(digest)
    if look is None:
        if len(_looks) >= _KEPT:
            _looks.clear()
        look = _looks[digest] = _look(row)
    return look


def _look(row: Example) -> Look:
    picture = decode_picture(row.image, row.id)
    bits = np.packbits(imagehash.phash(picture).hash.ravel())
    return Look(int.from_bytes(bits.tobytes()), float(np.asarray(picture.convert("L")).std()))
