"""What every `TextWriter` owes, and what the one with a real model owes besides."""

from itertools import count

import pytest

from blip_core.backends.chat import ChatClient
from blip_core.backends.openai_compatible import OpenAICompatibleWriter
from blip_core.backends.sampling import Sampling
from blip_core.backends.scripted import ScriptedWriter
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.errors import StageFailure
from blip_core.ports import TextWriter

PROMPTS = ["Write a list.", "Write another, longer list.", "Go on."]
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12)


KINDS = ["scripted", "transformers", "server"]


def build(kind, request):
    if kind == "scripted":
        return ScriptedWriter(f"text {index}" for index in count())
    if kind == "transformers":
        return TransformersWriter(request.getfixturevalue("writer_folder"), SAMPLING)
    return OpenAICompatibleWriter(ChatClient(request.getfixturevalue("chat_server").url, "m", 1.0, 0.9, 12))


@pytest.fixture(params=KINDS)
def writer(request):
    if request.param == "transformers":
        yield request.getfixturevalue("model_writer")
        return
    made = build(request.param, request)
    yield made
    made.close()


def test_it_is_a_text_writer(writer):
    assert isinstance(writer, TextWriter)


def test_it_writes_one_text_a_prompt_without_the_prompt(writer):
    texts = writer.write(PROMPTS, [1, 2, 3])
    assert len(texts) == 3
    assert all(isinstance(text, str) for text in texts)
    assert len(set(texts)) == 3


def test_no_prompts_give_no_texts(writer):
    assert writer.write([], []) == []


def test_a_seed_too_few_is_refused(writer):
    with pytest.raises(ValueError, match="shorter"):
        writer.write(PROMPTS, [1, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_writer_refuses_work(kind, request):
    writer = build(kind, request)
    writer.close()
    writer.close()
    with pytest.raises(StageFailure, match="closed"):
        writer.write(PROMPTS, [1, 2, 3])


@pytest.fixture(scope="module")
def model_writer(writer_folder):
    made = TransformersWriter(writer_folder, SAMPLING)
    yield made
    made.close()


def test_equal_seeds_write_equal_texts(model_writer):
    assert model_writer.write(PROMPTS, [1, 2, 3]) == model_writer.write(PROMPTS, [1, 2, 3])


def test_a_row_does_not_depend_on_what_its_neighbours_draw(model_writer):
    first = model_writer.write(PROMPTS, [1, 2, 3])
    second = model_writer.write(PROMPTS, [7, 2, 9])
    assert second[1] == first[1]
    assert second[0] != first[0]
    assert second[2] != first[2]


def test_a_row_does_not_depend_on_padding(model_writer):
    alone = model_writer.write(PROMPTS[:1], [1])
    beside_longer = model_writer.write([PROMPTS[0], "x" * 60], [1, 2])
    assert beside_longer[0] == alone[0]


def test_at_temperature_zero_seeds_change_nothing(writer_folder):
    writer = TransformersWriter(writer_folder, Sampling(0.0, 1.0, 12))
    assert writer.write(PROMPTS, [1, 2, 3]) == writer.write(PROMPTS, [4, 5, 6])
