import hashlib
import io

from PIL import Image

from blip_core.backends.scripted import ScriptedPainter
from blip_core.painting import encode_png, paint_pictures
from blip_core.ports import NoPicture
from blip_core.recipes.pictures import Pictures
from blip_core.records import Scene

SETTINGS = Pictures(prompt="A snapshot of '{scene}'.", batch_size=2)


def scenes(count):
    return [
        Scene(f"food-{index:05d}", "food", f"Cake {index} {{on}} a plate.", 0, 1) for index in range(count)
    ]


def image(shade):
    picture = Image.new("RGB", (8, 6), (shade, 0, 0))
    picture.putpixel((0, 0), (0, 255, 0))
    return picture


def test_a_picture_carries_its_scene_its_pixels_and_their_digest():
    pictures, rejections = paint_pictures(ScriptedPainter([image(9)]), scenes(1), SETTINGS, seed=0)
    picture = pictures[0]
    assert (picture.id, picture.scene_id, picture.scene) == (
        "food-00000-p0",
        "food-00000",
        "Cake 0 {on} a plate.",
    )
    assert (picture.width_px, picture.height_px) == (8, 6)
    assert Image.open(io.BytesIO(picture.png)).tobytes() == image(9).tobytes()
    assert picture.sha256 == hashlib.sha256(picture.png).hexdigest()
    assert rejections == []


def test_prompt_and_seed_belong_to_the_row_and_not_to_its_batch():
    whole, part = ScriptedPainter(map(image, range(3))), ScriptedPainter(map(image, range(1)))
    paint_pictures(whole, scenes(3), SETTINGS, seed=5)
    paint_pictures(part, scenes(3)[2:], SETTINGS, seed=5)
    assert whole.calls[2] == part.calls[0]
    assert part.calls[0][0] == "A snapshot of 'Cake 2 {on} a plate.'."
    assert len({seed for _, seed in whole.calls}) == 3


def test_blank_and_refused_pictures_are_rejected_with_their_reasons():
    refused = [NoPicture.REFUSED, NoPicture.NO_NUMBERS]
    painter = ScriptedPainter([*refused, Image.new("RGB", (8, 6)), image(1)])
    pictures, rejections = paint_pictures(painter, scenes(4), SETTINGS, seed=0)
    assert [picture.id for picture in pictures] == ["food-00003-p0"]
    assert [(row.id, row.reason) for row in rejections] == [
        ("food-00000-p0", "refused-by-painter"),
        ("food-00001-p0", "no-numbers"),
        ("food-00002-p0", "blank"),
    ]


def test_equal_pixels_give_equal_bytes_whatever_else_the_image_holds():
    noted = image(3).convert("RGBA")
    noted.info["comment"] = "made today"
    assert encode_png(noted) == encode_png(image(3))


def test_progress_counts_scenes():
    seen = []
    painter = ScriptedPainter(map(image, range(3)))
    paint_pictures(painter, scenes(3), SETTINGS, 0, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
