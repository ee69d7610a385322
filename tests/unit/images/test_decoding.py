import numpy as np
import pytest
from PIL import Image

from blip_core.errors import TableError
from blip_core.images import decode_picture, limits
from blip_core.images import decoding as room
from tests.hostile.files import (
    bmp_claiming,
    box_claiming,
    chunk,
    encoded,
    gif_claiming,
    inflating,
    jpeg_claiming,
    jpeg_of_scans,
    noise,
    png_claiming,
    png_with,
    sound_files,
    tiff_claiming,
    tiff_of,
    webp_claiming,
)

SOUND = sound_files()
ICC = chunk(b"iCCP", b"k\0\0" + inflating(100_000))


def refusal(data: bytes) -> str:
    with pytest.raises(TableError) as caught:
        decode_picture(data, "cat.png")
    return str(caught.value)


@pytest.mark.parametrize("kind", SOUND)
def test_every_kind_of_still_picture_becomes_rgb(kind: str):
    picture = decode_picture(SOUND[kind], kind)

    assert (picture.mode, picture.size) == ("RGB", (24, 24))


def test_the_content_and_not_the_name_says_what_a_file_is():
    assert decode_picture(SOUND["webp"], "cat.png").size == (24, 24)


@pytest.mark.parametrize("kind", ["PPM", "ICO", "JPEG2000", "TGA"])
def test_other_formats_are_refused_under_any_name(kind: str):
    assert "PNG, JPEG, WEBP, TIFF, BMP, GIF, AVIF, HEIC are understood" in refusal(encoded(noise(), kind))


COSTLY = {
    "nothing": (b"", "no whole file"),
    "markup": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no whole file"),
    "long file": (bytes(limits.MAX_FILE_BYTES + 1), "larger than 64 MiB"),
    "no pixels": (png_claiming(0, 5), "no whole file"),
    "many pixels": (png_claiming(8_000, 8_000), "8000 x 8000 pixels"),
    "billions of pixels": (png_claiming(60_000, 60_000), "pixels"),
    "most pixels that a PNG can claim": (png_claiming(2**31 - 1, 2**31 - 1), "pixels"),
    "most pixels that a JPEG can claim": (jpeg_claiming(65_535, 65_535), "pixels"),
    "most pixels that a WebP can claim": (webp_claiming(1 << 24, 1 << 24), "pixels"),
    "strip": (encoded(Image.new("RGB", (330, 10)), "PNG"), "strip of 330 x 10"),
    "upright strip": (encoded(Image.new("RGB", (1, 33)), "JPEG"), "strip of 1 x 33"),
    "text that inflates": (png_with(chunk(b"zTXt", b"k\0\0" + inflating(50_000_000))), "too large"),
    "other text that inflates": (
        png_with(chunk(b"iTXt", b"k\0\1\0\0\0" + inflating(50_000_000))),
        "too large",
    ),
    "profile that inflates": (png_with(chunk(b"iCCP", b"k\0\0" + inflating(50_000_000))), "too large"),
    "many profiles": (png_with(*[ICC] * (limits.MAX_PNG_CHUNKS + 1)), "more than 100 chunks"),
    "many empty chunks": (
        png_with(*[chunk(b"IDAT", b"")] * (limits.MAX_PNG_CHUNKS + 1)),
        "more than 100 chunks",
    ),
    "many scans": (jpeg_of_scans(limits.MAX_JPEG_SCANS + 1), "more than 100 scans"),
    "most pixels that a GIF can claim": (gif_claiming(65_535, 65_535), "pixels"),
    "most pixels that a bitmap can claim": (bmp_claiming(2**31 - 1, 2**31 - 1), "pixels"),
    "most pixels that a TIFF can claim": (tiff_claiming(2**31 - 1, 2**31 - 1), "pixels"),
    "more pixels than an AVIF has": (box_claiming(SOUND["avif"], 30_000, 20_000), ""),
    "more pixels than a HEIC has": (box_claiming(SOUND["heic"], 30_000, 20_000), ""),
    "many empty blocks": (b"GIF89a" + bytes(7) + b"!\xfe" + b"\1x" * (limits.MAX_GIF_BLOCKS + 1), "blocks"),
    "noise between blocks": (b"GIF89a" + b"\1" * (limits.MAX_GIF_BLOCKS + 20), "blocks"),
    "many strips": (tiff_of({273: (4, 2**24, 8), 279: (4, 2**24, 8)}), "16,777,216 values"),
    "tiles larger than the picture": (tiff_of({322: (4, 1, 2**15), 323: (4, 1, 2**15)}), "tiles"),
    "tiles of a size that is no number": (tiff_of({322: (12, 1, 8), 323: (4, 1, 16)}), "tiles"),
    "a compression that takes any memory": (tiff_of({259: (3, 1, 34925)}), "compression (34925)"),
    "BigTIFF": (b"II+\0" + SOUND["tiff"][4:], "BigTIFF"),
    "raw file of a camera": (tiff_of({50706: (1, 4, 1)}), "raw file"),
    "preview of a raw file": (tiff_of({254: (4, 1, 1)}), "raw file"),
    "web page": (b"\n <!DOCTYPE html><html><body>404", "web page"),
    "PDF": (b"%PDF-1.7 ...", "PDF"),
}


@pytest.mark.parametrize("what", COSTLY)
def test_what_would_cost_too_much_or_is_no_picture_is_refused_in_words(what: str):
    data, told = COSTLY[what]

    message = refusal(data)

    assert message.startswith("cat.png cannot be read as a picture")
    assert told in message


def test_what_is_embedded_in_a_jpeg_does_not_count_as_its_scans():
    exif = Image.Exif()
    exif[0x010E] = "\xff\xda" * 200

    assert decode_picture(encoded(noise(), "JPEG", exif=exif), "x").size == (24, 24)


def test_what_follows_a_picture_is_left_alone():
    polyglot = SOUND["jpeg"] + b"PK\3\4<script>" + b"\xff\xda" * 500

    assert decode_picture(polyglot, "x").tobytes() == decode_picture(SOUND["jpeg"], "x").tobytes()


def test_transparent_parts_are_white():
    clear = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    clear.putpixel((1, 1), (0, 0, 200, 255))

    picture = decode_picture(encoded(clear, "PNG"), "x")

    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.getpixel((1, 1)) == (0, 0, 200)


def test_16_bit_grey_keeps_its_levels():
    levels = np.array([[0, 0x3FFF, 0x7FFF, 0xFFFF]] * 4, dtype=np.uint16)

    picture = decode_picture(encoded(Image.fromarray(levels), "PNG"), "x")

    assert [picture.getpixel((x, 0))[0] for x in range(4)] == [0, 63, 127, 255]


@pytest.mark.parametrize(
    "note", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*garbage", b"x" * 99]
)
def test_a_damaged_note_of_the_camera_leaves_the_picture_as_it_is(note: bytes):
    damaged = encoded(noise(), "PNG", exif=note)

    assert decode_picture(damaged, "x").tobytes() == noise().tobytes()


def test_a_refusal_says_the_same_each_time():
    assert refusal(SOUND["png"][:20]) == refusal(SOUND["png"][:20])


def test_a_machine_without_memory_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch):
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(room, "as_shown", exhausted)

    with pytest.raises(MemoryError):
        decode_picture(SOUND["png"], "x")
