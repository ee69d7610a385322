"""What every `TextWriter` owes, and what the one with a real model owes besides."""

import json
import logging
import shutil
from functools import cache
from itertools import count

import pytest

from blip_core.backends.chat import ChatClient
from blip_core.backends.openai_compatible import OpenAICompatibleWriter
from blip_core.backends.sampling import Sampling
from blip_core.backends.scripted import ScriptedWriter
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.errors import CheckpointError, StageFailure
from blip_core.ports import TextWriter

PROMPTS = ["Write a list.", "Write another, longer list.", "Go on."]
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_new_tokens=12)


FAMILIES = ["qwen2", "qwen3", "llama", "gemma2", "phi3"]
SEEING = ["qwen2_5_vl", "smolvlm", "gemma3"]
MODELS = ["plain llama", *FAMILIES, *SEEING]
KINDS = ["scripted", "server", *MODELS]


def build(kind, request):
    if kind == "scripted":
        return ScriptedWriter(f"text {index}" for index in count())
    if kind == "server":
        client = ChatClient(request.getfixturevalue("chat_server").url, "m", 1.0, 0.9, 12)
        return OpenAICompatibleWriter(client)
    if kind == "plain llama":
        return TransformersWriter(request.getfixturevalue("writer_folder"), SAMPLING)
    return TransformersWriter(request.getfixturevalue("layout")(kind), SAMPLING)


@pytest.fixture(scope="module")
def model_writers(request):
    """Writers with real models by their kind, loaded once."""
    return cache(lambda kind: build(kind, request))


@pytest.fixture(params=KINDS)
def writer(request, model_writers):
    if request.param in MODELS:
        yield model_writers(request.param)
        return
    made = build(request.param, request)
    yield made
    made.close()


@pytest.fixture(params=MODELS)
def model_writer(request, model_writers):
    return model_writers(request.param)


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


@pytest.mark.parametrize("kind", ["scripted", "server", "plain llama"])
def test_a_closed_writer_refuses_work(kind, request):
    writer = build(kind, request)
    writer.close()
    writer.close()
    with pytest.raises(StageFailure, match="closed"):
        writer.write(PROMPTS, [1, 2, 3])


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


@pytest.mark.parametrize(
    ("family", "prompt", "read"),
    [
        (
            "qwen3",
            "Write.",
            "<|im_start|>user\nWrite.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        ("gemma2", "Be brief. USER: Write. ASSISTANT:", "<bos><start_of_turn>user\nBe brief.\n\nWrite."),
        (
            "phi3",
            "Be brief. USER: Write. ASSISTANT:",
            "<|system|>\nBe brief.<|end|>\n<|user|>\nWrite.<|end|>\n",
        ),
        ("smolvlm", "Write.", "<|im_start|>User: Write.<end_of_utterance>\nAssistant:"),
        ("qwen2_5_vl", "Say <image>.", "<|im_start|>user\nSay <image> .<|im_end|>\n<|im_start|>assistant\n"),
        ("plain llama", "Be brief. USER: Write. ASSISTANT:", "Be brief. USER: Write. ASSISTANT:"),
    ],
)
def test_a_prompt_is_framed_by_the_models_own_template(model_writers, family, prompt, read):
    assert model_writers(family)._framed(prompt).startswith(read)


@pytest.mark.parametrize("family", [*FAMILIES, *SEEING])
def test_a_model_writes_without_a_line_of_its_libraries(layout, family, caplog):
    logger = logging.getLogger("transformers")  # whose own handler writes to a stream that no test sees
    logger.addHandler(caplog.handler)
    TransformersWriter(layout(family), SAMPLING).write(PROMPTS, [1, 2, 3])
    logger.removeHandler(caplog.handler)
    assert caplog.messages == []


@pytest.mark.parametrize("family", ["qwen2", "llama", "gemma3"])
def test_a_prompt_without_any_token_to_pad_with_is_refused(layout, tmp_path, family):
    folder = shutil.copytree(layout(family), tmp_path / family)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            settings = json.loads((folder / name).read_text())
            (folder / name).write_text(json.dumps(settings | {"pad_token": None, "eos_token": None}))
    with pytest.raises(CheckpointError, match="names no token that pads"):
        TransformersWriter(folder, SAMPLING)
