"""The bundled family behind the ports, loaded as the real checkpoints are."""

import io

import pytest
from PIL import Image

from blip_core.kinds.four_options import parse_label
from blip_core.kinds.label_text import ParsedLabel
from blip_core.painting import paint_pictures
from blip_core.recipes import load_recipe
from blip_core.scenes import write_scenes
from blip_core.wiring import build_labeller, build_painter, build_writer

ROWS = 4


@pytest.fixture(scope="module")
def recipe():
    return load_recipe("gallery-vqa", "pocket", [f"scenes.count={ROWS}"])


@pytest.fixture(scope="module")
def scenes(recipe):
    writer = build_writer(recipe)
    scenes, _ = write_scenes(writer, recipe.scenes, recipe.seed)
    writer.close()
    return scenes


@pytest.fixture(scope="module")
def pictures(recipe, scenes):
    painter = build_painter(recipe)
    pictures, rejections = paint_pictures(painter, scenes, recipe.pictures, recipe.seed)
    painter.close()
    assert rejections == []
    return pictures


def test_the_writer_writes_scenes_of_the_categories(recipe, scenes):
    assert len({scene.text for scene in scenes}) == ROWS
    assert {scene.category for scene in scenes} <= {category.name for category in recipe.scenes.categories}


def test_the_painter_paints_pictures_of_the_size_asked_for(pictures):
    images = [Image.open(io.BytesIO(picture.png)) for picture in pictures]
    assert [(image.mode, image.size) for image in images] == [("RGB", (64, 64))] * ROWS
    assert len({picture.sha256 for picture in pictures}) == ROWS


def test_the_labeller_writes_labels_that_parse(recipe, pictures):
    labeller = build_labeller(recipe)
    images = [Image.open(io.BytesIO(picture.png)) for picture in pictures] * 4
    texts = labeller.label(images, [recipe.labels.prompt] * len(images), range(len(images)))
    labeller.close()
    parsed = [parse_label(text) for text in texts]
    assert sum(isinstance(label, ParsedLabel) for label in parsed) >= len(texts) / 2
