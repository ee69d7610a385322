"""Picture files as strangers make them: sound ones of every kind, and ones that claim more than they hold."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

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


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (SIDE_PX, SIDE_PX), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


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
    }
