"""The directories of a TIFF, looked at before any decoder sees the file.

After "TIFF Revision 6.0" (Adobe, 1992): a directory a picture, its entries of 12 bytes each, and where the
next one lies. What a decoder would allocate, or loop over, stands in the entries.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from blip_core.images.limits import MAX_PICTURE_PX

MAX_VALUES = (
    2**18
)  # of an entry: offsets of all tiles of 16 x 16 px, the smallest there are, in MAX_PICTURE_PX
MAX_DIRECTORIES = 100  # looked at for a second page

_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_BIG = 43  # BigTIFF, whose offsets are of 8 bytes
_ENTRY_BYTES = 12
_BLOBS = (
    1,
    2,
    6,
    7,
)  # types of single bytes and characters: they are kept as they stand, whatever their number
_NUMBERS = {3: "H", 4: "I"}

_SUBFILE, _COMPRESSION, _TILE_WIDTH, _TILE_LENGTH, _DNG_VERSION = 254, 259, 322, 323, 50706
_REDUCED_OR_MASK = 0b101  # of NewSubfileType: a smaller copy of another picture, or its mask
_REDUCED = 0b001
# None, CCITT, LZW, JPEG, deflate, PackBits. Others are rare, or let the file say how much memory they take.
_COMPRESSIONS = frozenset((1, 2, 3, 4, 5, 7, 8, 32773, 32946))


class _Entry(NamedTuple):
    tag: int
    kind: int
    values: int
    number: int | None
    """Its only value, where it is one whole number."""


def is_tiff(data: bytes) -> bool:
    """Whether bytes begin as a TIFF does."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")


def check_tiff(data: bytes) -> None:
    """Refuse a TIFF that costs more than its pixels, or whose first picture is not the one that is meant.

    Raises:
        ValueError: Says in words what is wrong.
        struct.error: It is cut short.
    """
    if _BIG in data[2:4]:
        raise ValueError("it is a BigTIFF, made for more than 4 GiB: save it as a plain TIFF, PNG or JPEG")
    entries, _ = _directory(data, _first(data))
    for entry in entries:
        if entry.values > MAX_VALUES and entry.kind not in _BLOBS:
            raise ValueError(
                f"its tag {entry.tag} has {entry.values:,} values; at most {MAX_VALUES:,} are read"
            )
        if entry.tag == _COMPRESSION and entry.number not in _COMPRESSIONS:
            raise ValueError(f"its compression ({entry.number}) is not read: save it with LZW, or as PNG")
        if entry.tag == _DNG_VERSION or (entry.tag == _SUBFILE and (entry.number or 0) & _REDUCED):
            raise ValueError("it is a camera's raw file, or a preview alone: export it as JPEG or PNG")
    _check_tiles(entries)


def has_more_pages(data: bytes) -> bool:
    """Whether another page follows the first; smaller copies of it and masks are none."""
    pages = _directories(data)
    next(pages, None)
    return any(not _subfile(entries) & _REDUCED_OR_MASK for entries in pages)


def _check_tiles(entries: list[_Entry]) -> None:
    sides = {
        tag: [entry.number for entry in entries if entry.tag == tag] for tag in (_TILE_WIDTH, _TILE_LENGTH)
    }
    largest = 1
    for numbers in sides.values():
        if None in numbers:
            raise ValueError("the size of its tiles is no number")
        largest *= max((number for number in numbers if number is not None), default=1)
    if largest > MAX_PICTURE_PX:
        raise ValueError(f"its tiles have {largest:,} pixels and at most {MAX_PICTURE_PX:,} are read")


def _subfile(entries: list[_Entry]) -> int:
    return next((entry.number or 0 for entry in entries if entry.tag == _SUBFILE), 0)


def _directories(data: bytes) -> Iterator[list[_Entry]]:
    offset, seen = _first(data), set[int]()
    while offset and offset not in seen and len(seen) < MAX_DIRECTORIES:
        seen.add(offset)
        entries, offset = _directory(data, offset)
        yield entries


def _first(data: bytes) -> int:
    return _unpack(data, "I", 4)


def _directory(data: bytes, offset: int) -> tuple[list[_Entry], int]:
    """Entries of the directory at an offset, and the offset of the next one, 0 after the last."""
    count = _unpack(data, "H", offset)
    start, end = offset + 2, offset + 2 + _ENTRY_BYTES * count
    return [_entry(data, at) for at in range(start, end, _ENTRY_BYTES)], _unpack(data, "I", end)


def _entry(data: bytes, offset: int) -> _Entry:
    tag, kind = _unpack(data, "H", offset), _unpack(data, "H", offset + 2)
    count = _unpack(data, "I", offset + 4)
    number = _unpack(data, _NUMBERS[kind], offset + 8) if count == 1 and kind in _NUMBERS else None
    return _Entry(tag, kind, count, number)


def _unpack(data: bytes, kind: str, offset: int) -> int:
    number: int = struct.unpack_from(_BYTE_ORDERS[data[:2]] + kind, data, offset)[0]
    return number
