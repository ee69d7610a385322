"""Every format that is read shows the picture that was written, upright, in its colours, on white."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from blip_core.errors import PictureError
from blip_core.images import decode_picture, decoding_key, heif, is_plain, open_picture
from blip_core.images import tiff as tiff_room
from tests.hostile.files import PNG_START, animated, chunk, encoded, noise, tiff_of
from tests.unit.images import profiles

register_heif_opener()

ORIENTATION = 0x0112
# How a camera turned the scene before it wrote the pixels, by the note that undoes it (EXIF 2.32, table 4).
WRITTEN = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels.transpose(1, 0, 2)[::-1],
    7: lambda pixels: pixels.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda pixels: pixels.transpose(1, 0, 2)[:, ::-1],
}
# How each format is written with the least loss, and by how much a level may differ then.
LOSSLESS = {
    "png": ("PNG", {}, 0),
    "webp": ("WEBP", {"lossless": True}, 0),
    "tiff": ("TIFF", {}, 0),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}, 0),
    "tiff-deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
    "tiff-packbits": ("TIFF", {"compression": "packbits"}, 0),
    "jpeg": ("JPEG", {"quality": 100, "subsampling": 0}, 4),
    "mpo": ("MPO", {"quality": 100, "subsampling": 0}, 4),
    "avif": ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 4),
    "heic": ("HEIF", {"quality": -1, "chroma": 444, "matrix_coefficients": 0}, 4),
    "heic-tiles": ("HEIF", {"quality": -1, "chroma": 444, "matrix_coefficients": 0, "tile_size": 16}, 4),
}


def scene() -> np.ndarray:
    """24 x 40 pixels, no two corners alike; smooth, so that a lossy format keeps it."""
    down, across = np.mgrid[0:40, 0:24]
    return np.stack([across * 10, down * 6, 255 - across * 5 - down * 3], axis=-1).astype(np.uint8)


def written(pixels: np.ndarray, kind: str, orientation: int = 1) -> bytes:
    form, options, _ = LOSSLESS[kind]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    if form == "TIFF":
        return encoded(image, form, tiffinfo={ORIENTATION: orientation}, **options)
    return encoded(image, form, exif=exif.tobytes() if form == "HEIF" else exif, **options)


def shown(data: bytes) -> np.ndarray:
    return np.asarray(decode_picture(data, "the picture"), dtype=int)


def furthest(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("orientation", WRITTEN)
@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_picture_stands_as_its_camera_was_held(kind: str, orientation: int):
    data = written(WRITTEN[orientation](scene()), kind, orientation)

    assert furthest(shown(data), scene()) <= LOSSLESS[kind][2]


@pytest.mark.parametrize("kind", ["gif", "bmp"])
def test_a_format_without_notes_shows_its_pixels(kind: str):
    palette = Image.fromarray(scene()).quantize(64)

    assert furthest(shown(encoded(palette, kind)), np.asarray(palette.convert("RGB"))) == 0


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "LA", "PA"]


@pytest.mark.parametrize("mode", MODES)
def test_a_tiff_of_any_mode_shows_what_was_drawn(mode: str):
    grey = np.linspace(0, 255, 24 * 40).reshape(40, 24).astype(np.uint8)
    drawn = Image.fromarray(np.where(grey > 127, 255, 0).astype(np.uint8) if mode == "1" else grey)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(drawn).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(drawn).astype(np.float32) / 255)
    else:
        image = drawn.convert("L" if mode == "PA" else mode)
        image = image.convert("P").convert("PA") if mode == "PA" else image

    assert furthest(shown(encoded(image, "TIFF"))[..., 0], np.asarray(drawn)) <= 1


@pytest.mark.parametrize("depth", ["RGB", "RGBA", "LA"])
def test_colours_of_16_bits_lose_their_lower_half(depth: str):
    bands = len(depth)
    colour = {"RGB": 2, "RGBA": 6, "LA": 4}[depth]  # PNG's colour types
    values = np.full((24, 24, bands), 65_535, dtype=">u2")
    values[..., 0] = 0x80FF
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    assert shown(png_16(colour, rows))[0, 0, 0] == 0x80


def png_16(colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 24, 16, colour, 0, 0, 0))
    return PNG_START + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.0, 0.25, 0.5, 1.0], [0, 63, 127, 255]),
        ([0.0, 64.0, 128.0, 255.0], [0, 64, 128, 255]),
        ([0.0, 16_384.0, 32_768.0, 65_535.0], [0, 63, 127, 255]),
    ],
)
def test_fractions_and_large_numbers_become_levels(values: list[float], levels: list[int]):
    image = Image.fromarray(np.array([values] * 4, dtype=np.float32))

    assert shown(encoded(image, "TIFF"))[0, :, 0].tolist() == levels


@pytest.mark.parametrize("values", [[-3.0, 1.0], [0.0, 1e9], [float("nan"), 1.0], [float("inf"), 0.0]])
def test_numbers_that_are_no_shades_are_refused_in_words(values: list[float]):
    image = Image.fromarray(np.array([values] * 2, dtype=np.float32))

    with pytest.raises(PictureError, match="no shades of grey"):
        shown(encoded(image, "TIFF"))


@pytest.mark.parametrize(("bits", "value", "level"), [(8, b"\x10", 239), (16, b"\x00\x10", 239)])
def test_a_scan_whose_zero_is_white_is_not_shown_as_its_negative(bits: int, value: bytes, level: int):
    data = tiff_of({258: (3, 1, bits), 262: (3, 1, 0)}, value * 24 * 24)

    assert shown(data)[0, 0, 0] == level


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparent_parts_are_white_in_every_format(kind: str):
    clear = Image.new("RGBA", (32, 32), (200, 0, 0, 0))
    clear.paste((0, 0, 200, 255), (0, 0, 16, 32))

    picture = decode_picture(encoded(clear, kind), "x")

    assert min(picture.getpixel((28, 16))) > 250
    assert picture.getpixel((4, 16))[2] > 180
    assert picture.getpixel((4, 16))[0] < 30


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_one_colour_may_stand_for_what_is_transparent(mode: str):
    image = Image.new("L", (8, 8), 0).convert(mode)
    key = {"RGB": (0, 0, 0), "P": image.getpixel((0, 0)) if mode == "P" else 0}.get(mode, 0)

    assert shown(encoded(image, "PNG", transparency=key)).min() == 255


def test_one_level_of_16_bit_grey_may_stand_for_what_is_transparent():
    levels = Image.fromarray(np.array([[0, 0x7F00]] * 2, dtype=np.uint16))

    assert shown(encoded(levels, "PNG", transparency=0))[0, :, 0].tolist() == [255, 0x7F]


def test_a_bitmap_with_an_empty_fourth_channel_shows_its_colours():
    opaque = encoded(Image.new("RGBA", (8, 8), (10, 20, 30, 255)), "BMP")
    void = opaque.replace(bytes((30, 20, 10, 255)), bytes((30, 20, 10, 0)))

    assert shown(void)[0, 0].tolist() == [10, 20, 30]


class TestSeveral:
    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "HEIF"])
    def test_the_first_of_several_is_shown_and_said_to_be_so(self, kind: str):
        with open_picture(animated(kind), "x") as opened:
            assert opened.is_first_of_several
            assert not is_plain(opened)

        assert furthest(shown(animated(kind)), np.full((24, 24, 3), (255, 0, 0))) < 10

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_an_animation_may_be_long(self, kind: str):
        assert shown(animated(kind, frames=150)).shape == (24, 24, 3)

    def test_the_view_behind_a_phones_picture_is_no_second_picture(self):
        with open_picture(encoded(noise(), "MPO", save_all=True, append_images=[noise()]), "x") as opened:
            assert not opened.is_first_of_several

    def test_a_smaller_copy_behind_a_scan_is_no_second_page(self):
        pages = animated("TIFF", frames=2)
        several = [tiff_room.has_more_pages(_with_second_subfile(pages, subfile)) for subfile in (2, 1, 4)]

        assert several == [True, False, False]

    def test_pages_in_a_circle_end(self):
        pages = tiff_of({})
        end = 10 + 12 * struct.unpack_from("<H", pages, 8)[0]

        assert not tiff_room.has_more_pages(pages[:end] + struct.pack("<I", 8) + pages[end + 4 :])


def _with_second_subfile(pages: bytes, subfile: int) -> bytes:
    """The second directory's first entry, its width, makes room for what kind of page it is."""
    first = struct.unpack_from("<I", pages, 4)[0]
    count = struct.unpack_from("<H", pages, first)[0]
    second = struct.unpack_from("<I", pages, first + 2 + 12 * count)[0]
    return pages[: second + 2] + struct.pack("<HHII", 254, 4, 1, subfile) + pages[second + 14 :]


class TestProfiles:
    def test_wide_colours_are_shown_as_srgb(self):
        pure = Image.new("RGB", (8, 8), (180, 90, 60))

        plain, wide = (
            shown(encoded(pure, "PNG", icc_profile=profile)) for profile in (None, profiles.wide_profile())
        )

        # The levels to the power of 2.2, through the matrix from Display P3 to sRGB, through sRGB's curve.
        assert furthest(wide, np.full((8, 8, 3), (195, 83, 47))) <= 1
        assert furthest(plain, np.full((8, 8, 3), (180, 90, 60))) == 0

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"])
    def test_a_profile_counts_in_every_format_that_carries_one(self, kind: str):
        pure = Image.new("RGB", (16, 16), (180, 90, 60))
        like, wide = (
            shown(encoded(pure, kind, icc_profile=profile))[8, 8, 0]
            for profile in (profiles.srgb_like_profile(), profiles.wide_profile())
        )

        assert wide - like > 8

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_a_profile_that_is_srgb_changes_no_byte(self, kind: str):
        with open_picture(encoded(noise(), kind, icc_profile=profiles.srgb_like_profile()), "x") as opened:
            assert is_plain(opened)

        with open_picture(encoded(noise(), kind, icc_profile=profiles.wide_profile()), "x") as opened:
            assert not is_plain(opened)

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_inks_are_shown_by_their_profile(self, kind: str):
        cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))

        printed = shown(encoded(cyan, kind, icc_profile=profiles.ink_profile()))[8, 8]
        bare = shown(encoded(cyan, kind))[8, 8]

        assert furthest(bare, np.array((0, 255, 255))) <= 3
        # Lab 55 -37 -50 in sRGB, out of gamut in red: https://en.wikipedia.org/wiki/CIELAB_color_space
        assert printed[0] < 40
        assert 125 < printed[1] < 165
        assert 200 < printed[2] < 240

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_white_paper_is_white_and_no_negative(self, kind: str):
        for profile in (None, profiles.ink_profile()):
            paper = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), kind, icc_profile=profile)
            assert shown(paper).min() >= 250

    def test_grey_by_amounts_of_light_is_shown_brighter(self):
        grey = encoded(Image.new("L", (8, 8), 64), "PNG", icc_profile=profiles.linear_grey_profile())

        assert furthest(shown(grey), np.full((8, 8, 3), 137)) <= 2  # sRGB of 64/255 of white

    def test_a_profile_counts_under_transparent_parts(self):
        clear = Image.new("RGBA", (8, 8), (180, 90, 60, 255))
        clear.putpixel((0, 0), (0, 0, 0, 0))

        picture = shown(encoded(clear, "PNG", icc_profile=profiles.wide_profile()))

        assert picture[0, 0].tolist() == [255, 255, 255]
        assert picture[4, 4, 0] > 190

    @pytest.mark.parametrize(
        "profile", [b"", b"x", bytes(600), profiles.wide_profile()[:300], profiles.ink_profile()]
    )
    def test_a_damaged_profile_or_one_of_other_pixels_leaves_the_picture_as_it_is(self, profile: bytes):
        assert furthest(shown(encoded(noise(), "TIFF", icc_profile=profile)), np.asarray(noise())) == 0


class TestWithoutHeif:
    @pytest.fixture(autouse=True)
    def _absent(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        heif.can_read_heif.cache_clear()
        yield
        heif.can_read_heif.cache_clear()

    def test_a_heic_picture_is_refused_with_the_command_that_mends_it(self):
        with pytest.raises(
            PictureError, match=r"1\.HEIC is a HEIC picture.*pip install pillow-heif"
        ) as caught:
            decode_picture(HEIC, "1.HEIC")

        assert caught.value.reason == "no-decoder"

    def test_every_other_format_is_read(self):
        assert decode_picture(encoded(noise(), "AVIF"), "x").size == (24, 24)

    def test_keys_tell_that_it_is_absent(self):
        assert "without HEIC" in decoding_key()


HEIC = encoded(noise(), "HEIF")


def test_keys_tell_that_heic_can_be_read():
    assert "without" not in decoding_key()


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_container_of_either_kind_is_told_by_all_its_brands(kind: str):
    data = encoded(noise(), kind)
    size = int.from_bytes(data[:4], "big")
    generic = data[:8] + b"mif1" + data[12:]

    assert heif.is_heif(data) == heif.is_heif(generic) == (kind == "HEIF")
    assert decode_picture(generic, "x").size == (24, 24)
    assert size > 16


def test_a_camera_s_picture_is_made_smaller_before_anything_else_is_worked_out():
    large = Image.new("RGB", (600, 300), "teal")

    assert decode_picture(encoded(large, "JPEG"), "x", max_side_px=60).size == (60, 30)
    assert decode_picture(encoded(large.convert("RGBA"), "PNG"), "x", max_side_px=60).size == (60, 30)
