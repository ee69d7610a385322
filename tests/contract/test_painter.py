"""What every `Painter` owes, and what the one with a real model owes besides."""

from itertools import count

import numpy as np
import pytest
from PIL import Image

from blip_core.backends.diffusers_painter import DiffusersPainter
from blip_core.backends.scripted import ScriptedPainter
from blip_core.errors import StageFailure
from blip_core.ports import NoPicture, Painter
from blip_core.recipes.pictures import Pictures

PROMPTS = ["a dog", "a cat on a mat", "a bird"]
SETTINGS = Pictures(width_px=32, height_px=32, steps=2, guidance_scale=4.0)


KINDS = ["scripted", "diffusers"]


def build(kind, request):
    if kind == "scripted":
        return ScriptedPainter(Image.new("RGB", (32, 32), (index, 0, 0)) for index in count())
    return DiffusersPainter(request.getfixturevalue("painter_folder"), SETTINGS)


@pytest.fixture(params=KINDS)
def painter(request):
    if request.param == "diffusers":
        yield request.getfixturevalue("model_painter")
        return
    made = build(request.param, request)
    yield made
    made.close()


def test_it_is_a_painter(painter):
    assert isinstance(painter, Painter)


def test_it_paints_one_rgb_picture_a_prompt(painter):
    pictures = painter.paint(PROMPTS, [1, 2, 3])
    assert [(picture.mode, picture.size) for picture in pictures] == [("RGB", (32, 32))] * 3
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_no_prompts_give_no_pictures(painter):
    assert painter.paint([], []) == []


def test_a_seed_too_few_is_refused(painter):
    with pytest.raises(ValueError, match="shorter"):
        painter.paint(PROMPTS, [1, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_painter_refuses_work(kind, request):
    painter = build(kind, request)
    painter.close()
    painter.close()
    with pytest.raises(StageFailure, match="closed"):
        painter.paint(PROMPTS, [1, 2, 3])


@pytest.fixture(scope="module")
def model_painter(painter_folder):
    made = DiffusersPainter(painter_folder, SETTINGS)
    yield made
    made.close()


def pixels(picture):
    return np.asarray(picture).astype(int)


def test_equal_seeds_paint_equal_bytes(model_painter):
    first, second = (model_painter.paint(PROMPTS, [1, 2, 3]) for _ in range(2))
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in second]


def test_a_picture_follows_its_seed_and_not_its_neighbours(model_painter):
    first = model_painter.paint(PROMPTS, [1, 2, 3])
    second = model_painter.paint(["a house", PROMPTS[1], "a tree"], [7, 2, 3])
    assert np.abs(pixels(first[1]) - pixels(second[1])).max() <= 1
    assert first[0].tobytes() != second[0].tobytes()


def test_the_prompt_matters(model_painter):
    first, second = model_painter.paint(["a dog", "many green trees in a valley"], [1, 1])
    assert first.tobytes() != second.tobytes()


def test_what_the_safety_check_flags_comes_back_as_refused(flagging_painter_folder):
    painter = DiffusersPainter(flagging_painter_folder, SETTINGS)
    assert painter.paint(PROMPTS, [1, 2, 3]) == [NoPicture.REFUSED] * 3
