"""What every `Labeller` owes, and what those with real models owe besides."""

from functools import cache
from itertools import count

import numpy as np
import pytest
from PIL import Image

from blip_core.backends.chat import ChatClient
from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.openai_compatible import OpenAICompatibleLabeller
from blip_core.backends.sampling import Sampling
from blip_core.backends.scripted import ScriptedLabeller
from blip_core.errors import RecipeError, StageFailure
from blip_core.ports import Confident, Labeller, Written

FAMILIES = ["llava15", "llava_next", "qwen2_5_vl", "qwen3_vl", "smolvlm", "gemma3", "internvl"]
PROMPTS = ["<image>\nWhat is it?"] * 3
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12)


def noise(width, height, seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


# Of three shapes, which take different numbers of tiles and tokens where a model looks at shapes.
SQUARE, WIDE, HIGH = noise(20, 20, 0), noise(64, 24, 1), noise(18, 70, 2)
PICTURES = [SQUARE, WIDE, HIGH]


MODELS = ["plain llava", *FAMILIES]
KINDS = ["scripted", "server", *MODELS]


def build(kind, request):
    if kind == "scripted":
        return ScriptedLabeller(f"text {index}" for index in count())
    if kind == "server":
        client = ChatClient(request.getfixturevalue("chat_server").url, "m", 1.0, 0.9, 12)
        return OpenAICompatibleLabeller(client)
    if kind == "plain llava":
        return ImageTextLabeller(request.getfixturevalue("llava_folder"), SAMPLING)
    return ImageTextLabeller(request.getfixturevalue("layout")(kind), SAMPLING)


@pytest.fixture(scope="module")
def model_labellers(request):
    """Labellers with real models by their kind, loaded once."""
    return cache(lambda kind: build(kind, request))


@pytest.fixture(params=KINDS)
def labeller(request, model_labellers):
    if request.param in MODELS:
        yield model_labellers(request.param)
        return
    made = build(request.param, request)
    yield made
    made.close()


@pytest.fixture(params=MODELS)
def model_labeller(request, model_labellers):
    return model_labellers(request.param)


def test_it_writes_one_text_a_picture(labeller):
    assert isinstance(labeller, Labeller)
    texts = labeller.label(PICTURES, PROMPTS, [1, 2, 3])
    assert len(set(texts)) == len(texts) == 3
    assert labeller.label([], [], []) == []
    for prompts, seeds in [(PROMPTS[:2], [1, 2, 3]), (PROMPTS, [1, 2])]:
        with pytest.raises(ValueError, match="shorter"):
            labeller.label(PICTURES, prompts, seeds)


@pytest.mark.parametrize("kind", ["scripted", "plain llava", "server"])
def test_a_closed_labeller_refuses_work(kind, request):
    labeller = build(kind, request)
    labeller.close()
    labeller.close()
    with pytest.raises(StageFailure, match="closed"):
        labeller.label(PICTURES, PROMPTS, [1, 2, 3])


def test_a_row_depends_on_its_picture_prompt_and_seed_alone(model_labeller):
    prompts = ["<image>\nWhat is it?", "<image> Be short.", "USER: <image>\nAnd what is this one? ASSISTANT:"]
    first = model_labeller.label(PICTURES, prompts, [1, 2, 3])
    assert model_labeller.label(PICTURES, prompts, [1, 2, 3]) == first
    beside_others = model_labeller.label([HIGH, WIDE, SQUARE], ["<image> Hm?", *prompts[1:]], [8, 2, 9])
    assert beside_others[1] == first[1]
    rows = zip(PICTURES, prompts, [1, 2, 3], strict=True)
    assert [model_labeller.label(*([value] for value in row))[0] for row in rows] == first
    assert model_labeller.label([SQUARE], prompts[:1], [4]) != first[:1]


def test_a_swapped_picture_changes_the_text(model_labeller):
    one, other = model_labeller.label([WIDE, noise(64, 24, 5)], PROMPTS[:2], [1, 1])
    assert one != other


@pytest.mark.parametrize("prompt", ["What is it?", "<image><image> What is it?", "USER: what? ASSISTANT:"])
def test_a_prompt_that_does_not_place_the_picture_is_refused(model_labeller, prompt):
    with pytest.raises(RecipeError, match="exactly once"):
        model_labeller.label([SQUARE], [prompt], [1])


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_labels_too(layout, family):
    labeller = ImageTextLabeller(layout(family), SAMPLING, dtype="bfloat16")
    assert len(set(labeller.label(PICTURES, PROMPTS, [1, 2, 3]))) == 3


def test_a_model_tells_how_likely_the_tokens_of_its_texts_were(model_labeller):
    assert isinstance(model_labeller, Confident)
    written = model_labeller.label_with_confidence(PICTURES, PROMPTS, [1, 2, 3])
    assert [one.text for one in written] == model_labeller.label(PICTURES, PROMPTS, [1, 2, 3])
    assert model_labeller.label_with_confidence([], [], []) == []
    for one in (one for one in written if one.starts):  # random models write bytes that are no text, too
        assert list(one.starts) == sorted(one.starts)
        assert one.starts[-1] <= len(one.text)
        assert max(one.log_probabilities) <= 0
    rows = zip(PICTURES, PROMPTS, [1, 2, 3], strict=True)
    alone = [model_labeller.label_with_confidence(*([value] for value in row))[0] for row in rows]
    assert [one.starts for one in alone] == [one.starts for one in written]
    for one, beside in zip(alone, written, strict=True):
        assert one.log_probabilities == pytest.approx(beside.log_probabilities, abs=1e-4)


def test_a_labeller_need_not_be_confident():
    assert not isinstance(ScriptedLabeller([]), Confident)


def test_one_probability_a_token():
    with pytest.raises(ValueError, match="2 tokens and 1"):
        Written("ab", (0, 1), (-0.5,))
