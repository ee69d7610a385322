from pathlib import Path

import pytest

from blip_core.errors import TableError
from blip_core.sources import read_folder
from tests.unit.examples import png, world_pixels

PICTURE = png(world_pixels(0))


def test_pictures_are_read_by_path_with_their_folder_as_category(tmp_path: Path):
    for name in ("pets/b.png", "pets/a.PNG", "food/c.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PICTURE)

    pictures, rejections = read_folder(tmp_path)

    assert [(p.id, p.category) for p in pictures] == [
        ("food/c.png", "food"),
        ("pets/a.PNG", "pets"),
        ("pets/b.png", "pets"),
    ]
    assert rejections == []


def test_folders_below_are_left_out_when_asked(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes(PICTURE)
    (tmp_path / "b.png").write_bytes(PICTURE)

    assert [picture.id for picture in read_folder(tmp_path, recursive=False)[0]] == ["b.png"]


def test_broken_pictures_are_refused_and_the_others_kept(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "b.png").write_bytes(PICTURE[:100])

    pictures, rejections = read_folder(tmp_path)

    assert [picture.id for picture in pictures] == ["a.png"]
    assert [(r.id, r.reason) for r in rejections] == [("b.png", "unreadable-picture")]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_without_pictures_is_named(make, tmp_path: Path):
    make(tmp_path / "album")

    with pytest.raises(TableError, match="album"):
        read_folder(tmp_path / "album")
