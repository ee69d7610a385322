"""What every `Labeller` owes, and what the one with a real model owes besides."""

from itertools import count

import pytest
from PIL import Image

from blip_core.backends.chat import ChatClient
from blip_core.backends.llava_labeller import LlavaLabeller
from blip_core.backends.openai_compatible import OpenAICompatibleLabeller
from blip_core.backends.sampling import Sampling
from blip_core.backends.scripted import ScriptedLabeller
from blip_core.errors import RecipeError, StageFailure
from blip_core.ports import Labeller

PROMPTS = ["<image>\nWhat is it?"] * 3
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12)
RED, GREEN, BLUE = (Image.new("RGB", (20, 24), colour) for colour in ("red", "green", "blue"))
PICTURES = [RED, GREEN, BLUE]


KINDS = ["scripted", "llava", "server"]


def build(kind, request):
    if kind == "scripted":
        return ScriptedLabeller(f"text {index}" for index in count())
    if kind == "llava":
        return LlavaLabeller(request.getfixturevalue("llava_folder"), SAMPLING)
    return OpenAICompatibleLabeller(ChatClient(request.getfixturevalue("chat_server").url, "m", 1.0, 0.9, 12))


@pytest.fixture(params=KINDS)
def labeller(request):
    if request.param == "llava":
        yield request.getfixturevalue("model_labeller")
        return
    made = build(request.param, request)
    yield made
    made.close()


def test_it_is_a_labeller(labeller):
    assert isinstance(labeller, Labeller)


def test_it_writes_one_text_a_picture(labeller):
    texts = labeller.label(PICTURES, PROMPTS, [1, 2, 3])
    assert len(texts) == 3
    assert len(set(texts)) == 3


def test_no_pictures_give_no_texts(labeller):
    assert labeller.label([], [], []) == []


@pytest.mark.parametrize(("prompts", "seeds"), [(PROMPTS[:2], [1, 2, 3]), (PROMPTS, [1, 2])])
def test_sequences_of_different_lengths_are_refused(labeller, prompts, seeds):
    with pytest.raises(ValueError, match="shorter"):
        labeller.label(PICTURES, prompts, seeds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_labeller_refuses_work(kind, request):
    labeller = build(kind, request)
    labeller.close()
    labeller.close()
    with pytest.raises(StageFailure, match="closed"):
        labeller.label(PICTURES, PROMPTS, [1, 2, 3])


@pytest.fixture(scope="module")
def model_labeller(llava_folder):
    made = LlavaLabeller(llava_folder, SAMPLING)
    yield made
    made.close()


def test_equal_seeds_write_equal_texts(model_labeller):
    first, second = (model_labeller.label(PICTURES, PROMPTS, [1, 2, 3]) for _ in range(2))
    assert first == second


def test_a_row_does_not_depend_on_its_neighbours(model_labeller):
    first = model_labeller.label(PICTURES, PROMPTS, [1, 2, 3])
    second = model_labeller.label(
        [BLUE, GREEN, RED], ["Once more: <image>", PROMPTS[1], PROMPTS[2]], [8, 2, 9]
    )
    assert second[1] == first[1]


def test_a_swapped_picture_changes_the_text(model_labeller):
    red, blue = model_labeller.label([RED, BLUE], PROMPTS[:2], [1, 1])
    assert red != blue


@pytest.mark.parametrize("prompt", ["What is it?", "<image><image> What is it?"])
def test_a_prompt_that_does_not_place_the_picture_is_refused(model_labeller, prompt):
    with pytest.raises(RecipeError, match="exactly once"):
        model_labeller.label([RED], [prompt], [1])
