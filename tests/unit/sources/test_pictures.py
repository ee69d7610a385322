import io

import pytest
from PIL import Image

from blip_core.sources import pictures as room
from blip_core.sources.pictures import outside_picture, upright
from tests.hostile.files import encoded, noise

SOUND = encoded(noise(), "PNG")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_bytes_of_a_plain_picture_stay_as_they_are(kind: str):
    data = encoded(noise(), kind)

    assert upright(data, "x").data == data


def test_a_picture_with_transparent_parts_becomes_one_that_every_reader_shows_alike():
    clear = encoded(Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "PNG")

    whole = Image.open(io.BytesIO(upright(clear, "x").data))

    assert (whole.mode, whole.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def test_a_cameras_picture_is_made_as_small_as_models_need():
    large = encoded(Image.new("RGB", (3_000, 1_500), "teal"), "JPEG")

    picture = outside_picture(large, "x", "any")

    assert (picture.width_px, picture.height_px) == (room.MAX_KEPT_SIDE_PX, room.MAX_KEPT_SIDE_PX // 2)
    assert Image.open(io.BytesIO(picture.png)).size == (picture.width_px, picture.height_px)


def test_a_small_picture_keeps_its_size():
    picture = outside_picture(SOUND, "x", "any")

    assert Image.open(io.BytesIO(picture.png)).tobytes() == noise().tobytes()


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "GIF", "AVIF", "HEIF"])
def test_a_picture_that_not_every_reader_knows_becomes_a_png(kind: str):
    assert upright(encoded(noise(), kind), "x").data.startswith(b"\x89PNG")


def test_a_cameras_picture_that_has_to_be_turned_is_made_smaller_too():
    exif = Image.Exif()
    exif[0x0112] = 6

    large = encoded(Image.new("RGB", (3_000, 1_500)), "JPEG", exif=exif)
    whole = Image.open(io.BytesIO(upright(large, "x").data))

    assert whole.size == (room.MAX_KEPT_SIDE_PX // 2, room.MAX_KEPT_SIDE_PX)
