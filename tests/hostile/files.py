"""Picture files as strangers make them: sound ones of every kind, and ones that claim more than they hold."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

register_heif_opener()

PNG_START = b"\x89PNG\r\n\x1a\n"
SIDE_PX = 24
JPEG_QUALITY = 90


def noise(mode: str = "RGB", side_px: int = SIDE_PX) -> Image.Image:
    """A picture whose every pixel differs, so that no byte of its file is spare."""
    pixels = np.random.default_rng(0).integers(0, 256, (side_px, side_px, 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_claiming(width: int, height: int, *extra: bytes) -> bytes:
    """A PNG of a few bytes that claims any size; its pixels are zeros, as far as they go."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(100_000), 9))
    return PNG_START + header + b"".join(extra) + pixels + chunk(b"IEND", b"")


def png_with(*extra: bytes) -> bytes:
    """A sound small PNG with chunks in front of its pixels."""
    whole = encoded(noise(), "PNG")
    end_of_header = len(PNG_START) + 25
    return whole[:end_of_header] + b"".join(extra) + whole[end_of_header:]


def inflating(size: int) -> bytes:
    """zlib stream that inflates to `size` zeros, about a thousand times its own length."""
    return zlib.compress(bytes(size), 9)


def jpeg_claiming(width: int, height: int) -> bytes:
    whole = encoded(noise(), "JPEG")
    start = whole.index(b"\xff\xc0") + 5
    return whole[:start] + struct.pack(">HH", height, width) + whole[start + 4 :]


def jpeg_of_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = encoded(noise(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + whole[-2:]


def webp_claiming(width: int, height: int) -> bytes:
    """An extended WebP whose canvas is larger than the one frame in it."""
    frame = encoded(noise(), "WEBP")[12:]
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", len(canvas)) + canvas + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def animated(kind: str, frames: int = 3) -> bytes:
    """An animation, or pages, of which each is of another colour, red first."""
    colours = ["red", *[f"hsl({360 * frame // frames}, 80%, 50%)" for frame in range(1, frames)]]
    first, *others = [Image.new("RGB", (SIDE_PX, SIDE_PX), colour) for colour in colours]
    timing = {} if kind in ("TIFF", "HEIF") else {"duration": 50}
    return encoded(first, kind, save_all=True, append_images=others, **timing)


def gif_claiming(width: int, height: int) -> bytes:
    whole = encoded(noise("L"), "GIF")
    return whole[:6] + struct.pack("<HH", width, height) + whole[10:]


def bmp_claiming(width: int, height: int) -> bytes:
    whole = encoded(noise(), "BMP")
    return whole[:18] + struct.pack("<ii", width, height) + whole[26:]


_TIFF_USUAL = {
    256: (4, 1, SIDE_PX),
    257: (4, 1, SIDE_PX),
    258: (3, 1, 8),
    259: (3, 1, 1),
    262: (3, 1, 1),
    273: (4, 1, 8 + 2 + 12 * 10 + 4),  # right behind a directory of ten entries, which is filled up to them
    277: (3, 1, 1),
    278: (4, 1, SIDE_PX),
    279: (4, 1, SIDE_PX * SIDE_PX),
    305: (2, 4, 0),
}
"""Tag -> type, number of values, value: a picture in grey."""


def tiff_of(entries: dict[int, tuple[int, int, int]], pixels: bytes = bytes(SIDE_PX * SIDE_PX)) -> bytes:
    """A TIFF whose directory stands before its pixels; `entries` take the place of usual ones."""
    rows = {279: (4, 1, len(pixels)), **entries}
    rows = _TIFF_USUAL | rows
    for spare in (305, 277, 278):
        if len(rows) > len(_TIFF_USUAL) and spare not in entries:
            del rows[spare]
    packed = b"".join(_tiff_entry(tag, *rows[tag]) for tag in sorted(rows))
    return b"II*\0" + struct.pack("<IH", 8, len(rows)) + packed + bytes(4) + pixels


def _tiff_entry(tag: int, kind: int, count: int, value: int) -> bytes:
    is_short = kind == 3 and count == 1
    return struct.pack("<HHI", tag, kind, count) + struct.pack(
        "<HH" if is_short else "<I", value, *[0] * is_short
    )


def tiff_claiming(width: int, height: int) -> bytes:
    return tiff_of({256: (4, 1, width), 257: (4, 1, height)})


def box_claiming(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC whose boxes of extents (`ispe`) claim another size than its pixels have."""
    claimed, position = bytearray(data), 0
    while (position := claimed.find(b"ispe", position)) >= 0:
        claimed[position + 8 : position + 16] = struct.pack(">II", width, height)
        position += 4
    return bytes(claimed)


def sound_files() -> dict[str, bytes]:
    """A file of every kind that is read, by name."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    palette = noise().quantize(16)
    return {
        "png": encoded(noise(), "PNG"),
        "png-alpha": encoded(noise("RGBA"), "PNG", exif=exif),
        "png-palette": encoded(palette, "PNG", transparency=bytes(range(0, 256, 16))),
        "png-grey-16": encoded(Image.fromarray(np.arange(576, dtype=np.uint16).reshape(24, 24) * 100), "PNG"),
        "png-grey-alpha": encoded(noise("LA"), "PNG"),
        "png-profile": encoded(noise(), "PNG", icc_profile=bytes(range(256)) * 4),
        "jpeg": encoded(noise(), "JPEG", quality=JPEG_QUALITY, exif=exif),
        "jpeg-progressive": encoded(noise(), "JPEG", progressive=True),
        "jpeg-cmyk": encoded(noise("CMYK"), "JPEG"),
        "jpeg-grey": encoded(noise("L"), "JPEG"),
        "mpo": encoded(noise(), "MPO", save_all=True, append_images=[noise("L").convert("RGB")]),
        "webp": encoded(noise(), "WEBP", exif=exif),
        "webp-lossless": encoded(noise("RGBA"), "WEBP", lossless=True),
        "webp-animated": animated("WEBP"),
        "png-animated": animated("PNG"),
        "gif": encoded(palette, "GIF"),
        "gif-animated": animated("GIF"),
        "gif-transparent": encoded(palette, "GIF", transparency=3),
        "bmp": encoded(noise(), "BMP"),
        "bmp-palette": encoded(palette, "BMP"),
        "tiff": encoded(noise(), "TIFF", tiffinfo={0x0112: 6}),
        "tiff-alpha": encoded(noise("RGBA"), "TIFF"),
        "tiff-pages": animated("TIFF"),
        "tiff-lzw": encoded(noise(), "TIFF", compression="tiff_lzw"),
        "tiff-deflate": encoded(noise("L"), "TIFF", compression="tiff_adobe_deflate"),
        "tiff-jpeg": encoded(noise(), "TIFF", compression="jpeg"),
        "tiff-fax": encoded(noise("1"), "TIFF", compression="group4"),
        "tiff-cmyk": encoded(noise("CMYK"), "TIFF"),
        "tiff-lab": encoded(noise().convert("LAB"), "TIFF"),
        "tiff-grey-16": encoded(
            Image.fromarray(np.arange(576, dtype=np.uint16).reshape(24, 24) * 100), "TIFF"
        ),
        "tiff-fractions": encoded(
            Image.fromarray(np.linspace(0, 1, 576, dtype=np.float32).reshape(24, 24)), "TIFF"
        ),
        "tiff-directory-first": tiff_of({}, noise("L").tobytes()),
        "avif": encoded(noise(), "AVIF", exif=exif),
        "avif-alpha": encoded(noise("RGBA"), "AVIF"),
        "heic": encoded(noise(), "HEIF", exif=exif.tobytes()),
        "heic-alpha": encoded(noise("RGBA"), "HEIF"),
        "heic-grid": encoded(noise(), "HEIF", tile_size=16),
    }
