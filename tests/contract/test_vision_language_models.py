"""How vision-language models of any family are asked, and which of them are refused and why."""

import json
import re
from functools import cache

import pytest
from PIL import Image

from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.sampling import Sampling
from blip_core.errors import CheckpointError

GREEDY = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=8)
PICTURE = Image.effect_noise((40, 24), 80).convert("RGB")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def labeller_of(layout):
    """Labeller of a family, loaded once."""
    return cache(lambda family: ImageTextLabeller(layout(family), GREEDY))


SHOWN = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>"
ANSWER = "<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("family", "prompt", "read"),
    [
        ("qwen2_5_vl", "<image>\nUSER: Look.\n\nASSISTANT:", f"{SHOWN}Look.{ANSWER}"),
        ("qwen2_5_vl", "<image> Look.", f"{SHOWN}Look.{ANSWER}"),
        ("qwen2_5_vl", "USER: <image> Look. ASSISTANT: It is", f"{SHOWN}Look.{ANSWER}It is"),
        (
            "qwen2_5_vl",
            "SYSTEM: Be kind. USER: <image> Look. ASSISTANT:",
            f"<|im_start|>system\nBe kind.<|im_end|>\n{SHOWN}Look.{ANSWER}",
        ),
        ("qwen3_vl", "<image> Look.", f"{SHOWN}Look.{ANSWER}<think>\n\n</think>\n\n"),
        ("llava15", "<image>\nUSER: Look.\n\nASSISTANT:", "<image>\nUSER: Look.\n\nASSISTANT:"),
        ("llava15", "<image> Look.", "USER: <image>\nLook. ASSISTANT:"),
        ("llava15", "<image> USER: Look. ASSISTANT: It is", "USER: <image>\nLook. ASSISTANT: It is"),
        (
            "smolvlm",
            "<image>\nUSER: Look.\nASSISTANT:",
            "<|im_start|>User:<image>Look.<end_of_utterance>\nAssistant:",
        ),
        (
            "gemma3",
            "Be kind.\nUSER: <image> Look. ASSISTANT:",
            "<bos><start_of_turn>user\nBe kind.\n\n<start_of_image>Look.<end_of_turn>\n"
            "<start_of_turn>model\n",
        ),
        (
            "internvl",
            "Look at <image> well.",
            f"<|im_start|>user\nLook at<IMG_CONTEXT>\nwell.{ANSWER}",
        ),
    ],
)
def test_a_prompt_is_framed_by_the_models_own_template(labeller_of, family, prompt, read):
    assert labeller_of(family)._framed(prompt) == read


def test_a_system_message_that_a_template_refuses_stands_before_the_users(copied_layout):
    folder = copied_layout("qwen2_5_vl")
    template = json.loads((folder / "chat_template.json").read_text())["chat_template"]
    guard = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('none here') }}{% endif %}"
    edit(folder / "chat_template.json", chat_template=guard + template)
    labeller = ImageTextLabeller(folder, GREEDY)
    framed = labeller._framed("Be kind. USER: <image> Look. ASSISTANT:")
    assert framed == SHOWN.replace("<|vision_start|>", "Be kind.<|vision_start|>") + f"Look.{ANSWER}"


@pytest.mark.parametrize("family", ["llava15", "llava_next", "gemma3"])
def test_the_begin_token_is_read_once(labeller_of, family):
    labeller, seen = labeller_of(family), []
    hook = labeller._model.register_forward_pre_hook(
        lambda _, args, named: seen.append(named["input_ids"][0].tolist()), with_kwargs=True
    )
    labeller.label([PICTURE], ["<image>\nUSER: Look. ASSISTANT:"], [0])
    hook.remove()
    assert seen[0].count(labeller._processor.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("family", ["llava15", "qwen2_5_vl", "gemma3"])
def test_settings_of_generation_do_not_leak_from_a_checkpoint(labeller_of, copied_layout, family):
    folder = copied_layout(family)
    odd = {"repetition_penalty": 9.0, "temperature": 3.0, "top_k": 2, "min_new_tokens": 7, "num_beams": 3}
    odd |= {
        "do_sample": True,
        "suppress_tokens": list(range(5, 200)),
        "max_new_tokens": 1,
        "no_repeat_ngram_size": 1,
    }
    edit(folder / "generation_config.json", **odd)
    label = [PICTURE], ["<image> Look."], [0]
    assert ImageTextLabeller(folder, GREEDY).label(*label) == labeller_of(family).label(*label)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm", "gemma3"])
def test_a_model_without_a_chat_template_is_refused(copied_layout, family):
    folder = copied_layout(family)
    (folder / "chat_template.json").unlink()
    with pytest.raises(CheckpointError, match=r"ForConditionalGeneration without a chat template"):
        ImageTextLabeller(folder, GREEDY)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm", "gemma3"])
def test_a_template_that_leaves_the_picture_out_is_refused(copied_layout, family):
    folder = copied_layout(family)
    edit(
        folder / "chat_template.json", chat_template="{% for m in messages %}{{ m['role'] }}: hm{% endfor %}"
    )
    labeller = ImageTextLabeller(folder, GREEDY)
    with pytest.raises(CheckpointError, match=r"does not say with .* where the picture stands"):
        labeller.label([PICTURE], ["<image> Look."], [0])


@pytest.mark.parametrize(
    ("family", "file", "changes"),
    [
        ("qwen2_5_vl", "preprocessor_config.json", {"image_processor_type": "NoSuchImageProcessor"}),
        ("qwen2_5_vl", "config.json", {"model_type": "no_such_model"}),
        ("qwen2_5_vl", "chat_template.json", {"chat_template": "{% no such %}"}),
        ("qwen2_5_vl", "chat_template.json", {"chat_template": "{{ messages[0]['content'] + '!' }}"}),
        ("gemma3", "tokenizer_config.json", {"boi_token": None}),
        ("llava_next", "processor_config.json", {"image_token": "<no such token>"}),
    ],
)
def test_files_that_do_not_fit_a_model_are_refused_with_their_place(copied_layout, family, file, changes):
    folder = copied_layout(family)
    edit(folder / file, **changes)
    with pytest.raises(CheckpointError, match=re.escape(str(folder))):
        ImageTextLabeller(folder, GREEDY).label([PICTURE], ["<image> Look."], [0])


@pytest.mark.parametrize("lacking", ["preprocessor_config.json", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm", "llava15"])
def test_a_folder_that_lacks_a_file_is_refused_with_its_place(copied_layout, family, lacking):
    folder = copied_layout(family)
    (folder / lacking).unlink()
    with pytest.raises(CheckpointError, match=re.escape(str(folder))):
        ImageTextLabeller(folder, GREEDY)


@pytest.mark.parametrize("family", ["llava15", "llava_next"])
def test_folders_from_before_processors_knew_their_patches_label_as_later_ones(
    labeller_of, copied_layout, family
):
    folder = copied_layout(family)
    (folder / "processor_config.json").unlink()
    asked = [PICTURE], ["<image> Look."], [0]
    assert ImageTextLabeller(folder, GREEDY).label(*asked) == labeller_of(family).label(*asked)


@pytest.mark.parametrize("family", ["qwen2", "llama", "gemma2", "phi3"])
def test_a_language_model_is_no_labeller(layout, family):
    with pytest.raises(CheckpointError, match=r"holds \w+ForCausalLM; .* a language model sees no pictures"):
        ImageTextLabeller(layout(family), GREEDY)


@pytest.mark.parametrize("family", ["llava_next", "qwen3_vl", "internvl"])
def test_code_of_a_repository_is_never_run(copied_layout, family):
    folder = copied_layout(family)
    edit(folder / "preprocessor_config.json", auto_map={"AutoProcessor": "own.Processor"})
    with pytest.raises(CheckpointError, match="code of its own"):
        ImageTextLabeller(folder, GREEDY)


def test_a_processor_that_needs_another_package_is_refused_by_its_name(copied_layout, monkeypatch):
    from transformers.models.smolvlm import processing_smolvlm

    folder = copied_layout("smolvlm")
    edit(folder / "config.json", model_type="smolvlm", architectures=["SmolVLMForConditionalGeneration"])
    edit(folder / "processor_config.json", processor_class="SmolVLMProcessor")
    monkeypatch.setattr(processing_smolvlm, "num2words", None)
    with pytest.raises(
        CheckpointError, match=r"holds SmolVLMForConditionalGeneration, .* `num2words` is required"
    ):
        ImageTextLabeller(folder, GREEDY)
