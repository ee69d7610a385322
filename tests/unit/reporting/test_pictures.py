import base64
import io

import pytest
from PIL import Image

from blip_core.errors import TableError
from blip_core.images.media import media_type
from blip_core.reporting.pictures import SIDES_PX, picture_uri


def opened(uri):
    kind, data = uri.removeprefix("data:").split(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == Image.MIME[image.format]
    return image, base64.b64decode(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_small_picture_stays_byte_for_byte(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(buffer, kind)
    _, data = opened(picture_uri(buffer.getvalue(), 10_000))
    assert data == buffer.getvalue()
    assert media_type(data) == Image.MIME[kind]


def test_a_large_picture_becomes_as_large_as_it_may(noisy_jpeg):
    tight, wide = (opened(picture_uri(noisy_jpeg, limit)) for limit in (12_000, 60_000))
    assert len(tight[1]) <= 12_000 < len(wide[1]) <= 60_000
    assert max(tight[0].size) in SIDES_PX
    assert tight[0].width < wide[0].width


def test_transparent_parts_of_a_reduced_picture_are_white():
    buffer = io.BytesIO()
    Image.effect_noise((400, 400), 90).convert("RGBA").save(buffer, "PNG")
    clear = Image.open(buffer)
    clear.putalpha(0)
    clear.save(again := io.BytesIO(), "PNG")
    image, _ = opened(picture_uri(again.getvalue(), 1_000))
    assert min(image.getpixel((10, 10))) > 250


def test_a_large_file_that_is_no_picture_is_named():
    with pytest.raises(TableError, match="picture of q7"):
        picture_uri(b"x" * 20_000, 1_000, "picture of q7")
