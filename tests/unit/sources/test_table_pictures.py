"""The pictures of one table: each decoded once, with what is odd about it told by row."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from blip_core.sources.cells import RowRefused
from blip_core.sources.table_pictures import TablePictures
from tests.unit.examples import png, world_pixels

STILL = png(world_pixels(1))


def moving(frames: int) -> bytes:
    buffer = io.BytesIO()
    first, *rest = [Image.new("RGB", (9, 7), (shade, 0, 0)) for shade in range(0, 40 * frames, 40)]
    first.save(buffer, "GIF", save_all=True, append_images=rest)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "as_cell", [bytes, lambda data: base64.b64encode(data).decode()], ids=["bytes", "text"]
)
def test_rows_with_a_frame_of_several_are_flagged_and_no_others(as_cell, tmp_path: Path):
    flags: dict[str, str] = {}
    with TablePictures(tmp_path, flags) as pictures:
        for row, data in (("still", STILL), ("two", moving(2)), ("one", moving(1)), ("again", moving(2))):
            pictures.read(as_cell(data), row)
    assert flags == {"two": "first-of-several", "again": "first-of-several"}


def test_a_later_row_names_the_row_whose_picture_it_shows(tmp_path: Path):
    with TablePictures(tmp_path) as pictures:
        shown = pictures.read(base64.b64encode(STILL).decode(), "q1")
        assert pictures.read("q1", "q2") == shown
        with pytest.raises(RowRefused):
            pictures.read("q2", "q3")  # which only named it


def test_a_file_is_opened_once_and_told_by_its_name(tmp_path: Path):
    (tmp_path / "p.png").write_bytes(STILL)
    opened: dict[str, str] = {}
    with TablePictures(tmp_path, opened=opened) as pictures:
        first = pictures.read("p.png", "q1")
        (tmp_path / "p.png").unlink()
        assert pictures.read("p.png", "q2") == first
    assert list(opened) == ["p.png"]


def test_a_file_that_is_no_picture_is_refused_for_each_of_its_rows(tmp_path: Path):
    (tmp_path / "p.png").write_bytes(b"no picture")
    with TablePictures(tmp_path) as pictures:
        for row in ("q1", "q2"):
            with pytest.raises(RowRefused, match=r"p\.png"):
                pictures.read("p.png", row)
