import io
from pathlib import Path

import pytest
from PIL import Image

from blip_core.errors import TableError
from blip_core.sources import pictures as room
from blip_core.sources.pictures import outside_picture, read_below, upright
from tests.hostile.files import encoded, noise

SOUND = encoded(noise(), "PNG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set" / "below").mkdir(parents=True)
    (tmp_path / "set" / "below" / "one.png").write_bytes(SOUND)
    (tmp_path / "outside.png").write_bytes(SOUND)
    return tmp_path / "set"


def test_a_file_below_the_folder_is_read(folder: Path):
    assert read_below(folder, "below/../below/one.png") == SOUND


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/etc/passwd", "absolute"),
        ("C:\\one.png", "absolute"),
        ("\\\\server\\one.png", "absolute"),
        ("../outside.png", "leads out"),
        ("below/link.png", "leads out"),
        ("link/outside.png", "leads out"),
        ("below", "no file"),
        ("absent.png", "no file"),
        ("circle.png", "cannot be read"),
        ("a\0b.png", "cannot be read"),
        ("\ud800.png", "cannot be read"),
        ("x" * 5_000, "cannot be read"),
    ],
)
def test_a_name_that_leads_elsewhere_or_nowhere_is_refused(name: str, told: str, folder: Path):
    (folder / "below" / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "link").symlink_to(folder.parent)
    (folder / "circle.png").symlink_to("circle.png")

    with pytest.raises(TableError, match=told):
        read_below(folder, name)


def test_no_more_than_the_limit_is_read_of_a_long_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "MAX_FILE_BYTES", len(SOUND) - 1)

    with pytest.raises(TableError, match="larger than"):
        read_below(folder, "below/one.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_bytes_of_a_plain_picture_stay_as_they_are(kind: str):
    data = encoded(noise(), kind)

    assert upright(data, "x") == data


def test_a_picture_with_transparent_parts_becomes_one_that_every_reader_shows_alike():
    clear = encoded(Image.new("RGBA", (8, 8), (200, 0, 0, 0)), "PNG")

    whole = Image.open(io.BytesIO(upright(clear, "x")))

    assert (whole.mode, whole.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def test_a_cameras_picture_is_made_as_small_as_models_need():
    large = encoded(Image.new("RGB", (3_000, 1_500), "teal"), "JPEG")

    picture = outside_picture(large, "x", "any")

    assert (picture.width_px, picture.height_px) == (room.MAX_KEPT_SIDE_PX, room.MAX_KEPT_SIDE_PX // 2)
    assert Image.open(io.BytesIO(picture.png)).size == (picture.width_px, picture.height_px)


def test_a_small_picture_keeps_its_size():
    picture = outside_picture(SOUND, "x", "any")

    assert Image.open(io.BytesIO(picture.png)).tobytes() == noise().tobytes()
