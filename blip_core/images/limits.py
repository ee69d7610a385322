"""What a picture file may cost, told from its bytes before anything is decoded."""

import re
import struct

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PICTURE_PX = 50_000_000  # a phone's largest pictures; beyond, a small file may fill the memory
MAX_ASPECT_RATIO = 32  # a labeller enlarges the shorter side to 336 px: a strip would fill the memory
# Progressive JPEGs of cameras and editors have about ten scans; each costs a pass over all pixels, however
# few its bytes ("Two Issues with the JPEG Standard", libjpeg-turbo.org).
MAX_JPEG_SCANS = 100
# Every chunk costs a step of an interpreted loop, and up to a mebibyte to inflate; encoders write a dozen.
MAX_PNG_CHUNKS = 100
# Every block, too; encoders fill them with 255 bytes ("Graphics Interchange Format", CompuServe 1990, 15).
MAX_GIF_BLOCKS = MAX_FILE_BYTES // 255

_SMALL_CHUNK_BYTES = 256  # pixels come in chunks of 4 KiB and more, but for the last

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_GIF_STARTS = (b"GIF87a", b"GIF89a")
# A marker in a JPEG: neither a stuffed byte, nor a restart inside a scan, nor a fill byte.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_JPEG_END, _JPEG_SCAN = b"\xd9", b"\xda"
_GIF_HEADER_BYTES, _GIF_FRAME_BYTES = 13, 10
_GIF_EXTENSION, _GIF_FRAME, _GIF_END = 0x21, 0x2C, 0x3B


def check_parts(data: bytes) -> None:
    """Refuse a PNG, JPEG or GIF of too many parts.

    Raises:
        ValueError: Says in words what is too much.
    """
    if data.startswith(_PNG_START) and _has_too_many_chunks(data):
        raise ValueError(f"it has more than {MAX_PNG_CHUNKS:,} chunks")
    if data.startswith(_JPEG_START) and _has_too_many_scans(data):
        raise ValueError(f"it has more than {MAX_JPEG_SCANS} scans")
    if data.startswith(_GIF_STARTS) and _has_too_many_blocks(data):
        raise ValueError(f"it has more than {MAX_GIF_BLOCKS:,} blocks")


def _has_too_many_chunks(data: bytes) -> bool:
    """Walk a PNG's chunks (length, name, content, checksum) up to the second frame of an animation."""
    position, chunks, has_pixels = len(_PNG_START), 0, False
    while position + 8 <= len(data) and chunks <= MAX_PNG_CHUNKS:
        length, kind = struct.unpack_from(">I4s", data, position)
        has_pixels = has_pixels or kind == b"IDAT"
        if kind == b"fcTL" and has_pixels:
            break
        chunks += kind != b"IDAT" or length < _SMALL_CHUNK_BYTES
        position += length + 12
    return chunks > MAX_PNG_CHUNKS


def _has_too_many_scans(data: bytes) -> bool:
    """Walk a JPEG's segments to its end; what is embedded in one, such as a thumbnail, does not count."""
    position, scans = len(_JPEG_START), 0
    while scans <= MAX_JPEG_SCANS:
        marker = _JPEG_MARKER.search(data, position)
        if marker is None or marker.group(1) == _JPEG_END:
            break
        scans += marker.group(1) == _JPEG_SCAN
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans > MAX_JPEG_SCANS


def _has_too_many_blocks(data: bytes) -> bool:
    """Walk a GIF's blocks up to its second frame; a byte between them that is none counts as one."""
    position = _GIF_HEADER_BYTES + _palette_bytes(data, 10)
    frames = blocks = 0
    while position < len(data) and blocks <= MAX_GIF_BLOCKS and frames < 2:
        kind = data[position]
        if kind == _GIF_END:
            break
        blocks += 1
        if kind == _GIF_FRAME:
            frames += 1
            position += _GIF_FRAME_BYTES + _palette_bytes(data, position + 9) + 1
        elif kind == _GIF_EXTENSION:
            position += 2
        else:
            position += 1
            continue
        while position < len(data) and data[position] and blocks <= MAX_GIF_BLOCKS:
            blocks += 1
            position += data[position] + 1
        position += 1
    return blocks > MAX_GIF_BLOCKS


def _palette_bytes(data: bytes, flags_at: int) -> int:
    """Length of the palette that a byte of flags announces; 0 where there is none."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 128 else 0
