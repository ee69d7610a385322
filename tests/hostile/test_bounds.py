"""A stage goes on without what is wrong, and stops when too much is."""

import os
from itertools import cycle, repeat
from pathlib import Path

import pytest
from PIL import Image

from blip_core.backends.scripted import ScriptedPainter
from blip_core.curation import curate
from blip_core.curation.curate import ENOUGH_TO_JUDGE as ENOUGH_ROWS
from blip_core.errors import EmptyDataset, StageFailure, TableError
from blip_core.painting import ENOUGH_TO_JUDGE as ENOUGH_SCENES
from blip_core.painting import paint_pictures
from blip_core.ports import NoPicture
from blip_core.recipes.curation import Curation
from blip_core.recipes.pictures import Pictures
from blip_core.records import Example, Scene
from blip_core.sources import read_folder
from blip_core.sources.folder import ENOUGH_TO_JUDGE as ENOUGH_FILES
from tests.hostile.files import encoded, noise
from tests.unit.examples import example, png, world_pixels

BLACK = Image.new("RGB", (8, 8))
SOUND = encoded(noise(), "PNG")


def scenes(count: int) -> list[Scene]:
    return [Scene(f"x-{number:05d}", "x", f"Dog {number} runs.", 0, 1) for number in range(count)]


def test_a_painter_that_paints_black_stops_the_stage_with_a_summary_before_all_is_painted():
    painter = ScriptedPainter(repeat(BLACK))

    with pytest.raises(StageFailure, match=r"0 of the first 20 scenes: blank 20, such as x-00000-p0 \(Dog 0"):
        paint_pictures(painter, scenes(200), Pictures(batch_size=4), seed=0)
    assert len(painter.calls) == ENOUGH_SCENES


def test_a_painter_that_refuses_some_goes_on():
    painter = ScriptedPainter(cycle([noise(), NoPicture.REFUSED, BLACK]))

    pictures, rejections = paint_pictures(painter, scenes(60), Pictures(batch_size=4), seed=0)

    assert (len(pictures), len(rejections)) == (20, 40)


def alike(count: int) -> list[Example]:
    return [example(number, image=png(world_pixels(0)), question="What?") for number in range(count)]


def test_gates_that_refuse_nearly_all_stop_the_stage_with_counts_by_gate_and_reason():
    with pytest.raises(EmptyDataset) as caught:
        curate(alike(ENOUGH_ROWS), Curation())
    told = str(caught.value)
    assert f"kept 1 of {ENOUGH_ROWS} rows" in told
    assert f"exact_duplicates {ENOUGH_ROWS - 1} of {ENOUGH_ROWS}" in told
    assert f"exact-duplicate {ENOUGH_ROWS - 1}, such as nature-00001-p0-q0" in told
    assert "curation.GATE.enabled = false" in told


def test_gates_may_refuse_nearly_all_of_few_rows():
    assert len(curate(alike(ENOUGH_ROWS - 1), Curation()).kept) == 1


def write_files(folder: Path, sound: int, broken: int) -> None:
    for number in range(sound):
        (folder / f"sound-{number}.png").write_bytes(SOUND)
    for number in range(broken):
        (folder / f"broken-{number}.png").write_bytes(SOUND[: 40 + number])


def test_a_folder_of_which_most_cannot_be_read_is_refused_with_a_summary(tmp_path: Path):
    write_files(tmp_path, ENOUGH_FILES // 2 - 1, ENOUGH_FILES // 2 + 1)

    with pytest.raises(TableError, match=r"of 20 pictures 9 can be read\. Refused: unreadable-picture 11"):
        read_folder(tmp_path)


def test_a_folder_without_one_sound_picture_is_refused(tmp_path: Path):
    write_files(tmp_path, 0, 2)

    with pytest.raises(TableError, match="of 2 pictures 0 can be read"):
        read_folder(tmp_path)


def test_a_folder_with_some_broken_pictures_is_read(tmp_path: Path):
    write_files(tmp_path, ENOUGH_FILES // 2, ENOUGH_FILES // 2)

    pictures, rejections = read_folder(tmp_path)

    assert (len(pictures), len(rejections)) == (10, 10)


@pytest.mark.parametrize("name", [b"a\xff.png", b"a\nb.png", b"a\x1b[2J.png"])
def test_a_file_whose_name_cannot_be_kept_is_refused_with_a_printable_id(name: bytes, tmp_path: Path):
    (tmp_path / "sound.png").write_bytes(SOUND)
    Path(bytes(tmp_path).decode() + "/" + name.decode("utf-8", "surrogateescape")).write_bytes(SOUND)

    pictures, (rejection,) = read_folder(tmp_path)

    assert [picture.id for picture in pictures] == ["sound.png"]
    assert rejection.reason == "unusable-name"
    assert rejection.id.isprintable()


def test_names_of_people_and_of_their_machines_are_kept(tmp_path: Path):
    name = "Bild\u202f\u00e4\u4e00 \U0001f468\u200d\U0001f469.png"
    (tmp_path / name).write_bytes(SOUND)

    assert [picture.id for picture in read_folder(tmp_path)[0]] == [name]


def test_links_in_a_circle_and_pipes_are_no_pictures(tmp_path: Path):
    (tmp_path / "sound.png").write_bytes(SOUND)
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "out.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.png")

    assert [picture.id for picture in read_folder(tmp_path)[0]] == ["sound.png"]
