import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Blip2ForConditionalGeneration,
    Blip2Processor,
)

from blip_core.errors import CheckpointError, PlaceError
from blip_core.modeling import attach_adapter, load_adapter, load_blip2, save_adapter
from blip_core.modeling.merging import TOLERANCE, adapter_base, merge_adapter
from blip_core.modeling.text import tokenise_prompts
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from tests.commands import foundry
from tests.layouts import blip2_flan_t5, blip2_opt
from tests.tiny_blip2 import PICTURE_PX, QUERIES, FolderOf, save_tiny_blip2

LORA = Adapter(preset="qformer", r=4)
MIXED = Adapter(
    pattern=r"(qformer\..*\.query|language_model\..*\.(q|wo|q_proj|fc1))",
    r=4,
    full=("language_projection", "query_tokens"),
)


def tuned(base: Path, adapter: Adapter, folder: Path) -> Path:
    """A saved adapter, all of whose weights have moved."""
    bundle = attach_adapter(load_blip2(base), adapter, seed=0)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return save_adapter(bundle, folder, Checkpoint(id=str(base)))


@torch.no_grad()
def logits(blip2: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(1, 3, PICTURE_PX, PICTURE_PX, generator=generator).to(blip2.dtype)
    picture = [blip2.config.image_token_index] * QUERIES
    inputs = {"pixel_values": pixels, "input_ids": torch.tensor([[*picture, 20, 21, 22]])}
    if blip2.config.model_type == "instructblip":
        inputs["qformer_input_ids"] = torch.tensor([[2, 30, 31, 3]])
    if blip2.language_model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.tensor([[0, 5, 6]])
    found: torch.Tensor = blip2.eval()(**inputs).logits.float()
    return found


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize("adapter", [LORA, MIXED], ids=["lora", "mixed"])
def test_a_merged_checkpoint_answers_like_base_and_adapter_in_transformers_alone(
    tiny_blip2: FolderOf, tmp_path: Path, family: str, adapter: Adapter
) -> None:
    base = tiny_blip2(family)
    folder = tuned(base, adapter, tmp_path / "adapter")

    merged = merge_adapter(folder, Checkpoint(id=str(base)), base, tmp_path / "merged")

    plain = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "merged")
    expected = logits(load_adapter(load_blip2(base), folder).blip2)
    assert distance(logits(plain), expected) <= TOLERANCE
    assert distance(logits(load_blip2(base).blip2), expected) > 100 * TOLERANCE  # the adapter does something
    assert merged.difference <= TOLERANCE
    assert merged.rounding == 0
    assert merged.parameters == sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize(
    ("layout", "adapter"), [("instructblip_t5", LORA), ("instructblip_vicuna", MIXED), ("blip2_llama", MIXED)]
)
def test_every_kind_is_merged_and_opens_with_its_own_classes(
    tiny_blip2: FolderOf, tmp_path: Path, layout: str, adapter: Adapter
) -> None:
    base = tiny_blip2(layout)
    folder = tuned(base, adapter, tmp_path / "adapter")

    merge_adapter(folder, Checkpoint(id=str(base)), base, tmp_path / "merged")

    plain = AutoModelForImageTextToText.from_pretrained(tmp_path / "merged")
    # In float64, since the tiny T5's weights magnify what is rounded on the way, by processor and threads.
    expected = logits(load_adapter(load_blip2(base), folder).blip2.double())
    assert distance(logits(plain.double()), expected) <= TOLERANCE
    assert distance(logits(load_blip2(base).blip2), expected) > 100 * TOLERANCE  # the adapter does something
    again, before = load_blip2(tmp_path / "merged", "nf4"), load_blip2(base)
    assert tokenise_prompts(again, ["Is it here?"]) == tokenise_prompts(before, ["Is it here?"])
    processor = AutoProcessor.from_pretrained(tmp_path / "merged")
    assert processor.num_query_tokens == QUERIES
    card = (tmp_path / "merged" / "README.md").read_text()
    assert f"import {type(plain).__name__}, {type(processor).__name__}" in card


def test_a_smaller_type_rounds_what_was_merged_in_float32(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    base = tiny_blip2("t5")
    folder = tuned(base, MIXED, tmp_path / "adapter")
    merge_adapter(folder, Checkpoint(id=str(base)), base, tmp_path / "float32", "float32")
    merge_adapter(folder, Checkpoint(id=str(base)), base, tmp_path / "bfloat16", "bfloat16")

    whole = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "float32").state_dict()
    rounded = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "bfloat16").state_dict()

    assert {tensor.dtype for tensor in rounded.values() if tensor.is_floating_point()} == {torch.bfloat16}
    assert all(torch.equal(rounded[name], whole[name].to(rounded[name].dtype)) for name in whole)


def test_the_processor_comes_with_it_and_ours_loads_it_too(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    folder = tuned(tiny_blip2("opt"), LORA, tmp_path / "adapter")
    merge_adapter(folder, Checkpoint(id="owner/base"), tiny_blip2("opt"), tmp_path / "merged")

    processor = Blip2Processor.from_pretrained(tmp_path / "merged")
    bundle = load_blip2(tmp_path / "merged", "nf4")
    card = (tmp_path / "merged" / "README.md").read_text()

    assert processor.num_query_tokens == bundle.query_count
    assert "lora" not in " ".join(dict(bundle.model.named_parameters()))
    assert "base_model: owner/base" in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "merged"]


def test_a_head_that_is_not_tied_stays_so(tmp_path: Path) -> None:
    """flan-t5 has a head of its own."""
    base = save_tiny_blip2("t5", tmp_path / "base")
    model = Blip2ForConditionalGeneration.from_pretrained(base)
    model.config.text_config.tie_word_embeddings = model.config.tie_word_embeddings = False
    head = torch.nn.Parameter(torch.randn_like(model.language_model.lm_head.weight))
    model.language_model.lm_head.weight = head
    model.save_pretrained(base)
    folder = tuned(base, LORA, tmp_path / "adapter")

    merge_adapter(folder, Checkpoint(id=str(base)), base, tmp_path / "merged")

    merged = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "merged")
    assert torch.equal(merged.language_model.lm_head.weight, head)
    expected = logits(load_adapter(load_blip2(base), folder).blip2)
    assert distance(logits(merged), expected) <= TOLERANCE


def scaled(base: Path, head: str) -> None:
    """Make a saved T5 one that scales its outputs, or one with a head that is tied or its own."""
    model = Blip2ForConditionalGeneration.from_pretrained(base)
    model.config.text_config.scale_decoder_outputs = head == "scaled"
    if head == "own":
        own = torch.nn.Parameter(torch.randn_like(model.language_model.lm_head.weight))
        model.language_model.lm_head.weight = own
    model.save_pretrained(base)


@pytest.mark.parametrize(
    ("head", "tied", "in_file"), [("scaled", True, False), ("tied", False, True), ("own", False, True)]
)
def test_transformers_4_is_told_whether_the_head_is_tied(
    tmp_path: Path, head: str, tied: bool, in_file: bool
) -> None:
    """Version 4 takes "tied" for "scales its outputs", and ties where it is told so."""
    base = save_tiny_blip2("t5", tmp_path / "base")
    scaled(base, head)
    folder = tuned(base, LORA, tmp_path / "adapter")
    merge_adapter(folder, Checkpoint(id=str(base)), base, tmp_path / "merged")

    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    with safe_open(tmp_path / "merged" / "model.safetensors", "pt") as weights:
        has_head = "language_model.lm_head.weight" in weights.keys()  # noqa: SIM118 - no mapping
    assert config["text_config"]["tie_word_embeddings"] is tied
    assert has_head is in_file
    expected = logits(load_adapter(load_blip2(base), folder).blip2)
    assert distance(logits(load_blip2(tmp_path / "merged").blip2), expected) <= TOLERANCE


@pytest.mark.parametrize("layout", [blip2_flan_t5, blip2_opt, None], ids=["flan-t5", "opt", "tiny"])
def test_transformers_4_finds_its_tokenizer_and_picture_settings(
    tiny_blip2: FolderOf, tmp_path: Path, layout: Any
) -> None:
    base = tmp_path / "base"
    if layout is None:
        base = tiny_blip2("opt")
    else:
        layout.build(base)
    merge_adapter(tuned(base, LORA, tmp_path / "a"), Checkpoint(id=str(base)), base, tmp_path / "merged")

    said = {
        name: json.loads((tmp_path / "merged" / name).read_text())
        for name in ("tokenizer_config.json", "preprocessor_config.json", "processor_config.json")
    }
    tokenizer = said["tokenizer_config.json"]
    assert not isinstance(tokenizer.get("extra_special_tokens"), list)
    assert not {"local_files_only", "is_local"} & tokenizer.keys()
    assert tokenizer["tokenizer_class"] in ("T5Tokenizer", "GPT2Tokenizer", "PreTrainedTokenizerFast")
    assert said["preprocessor_config.json"]["image_processor_type"] == "BlipImageProcessor"
    assert said["processor_config.json"]["num_query_tokens"] == 4
    again = load_blip2(tmp_path / "merged").tokenizer
    text = "Question: A dog? <image> <extra_id_3>"
    assert again(text)["input_ids"] == load_blip2(base).tokenizer(text)["input_ids"]


def test_nothing_is_overwritten(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    folder = tuned(tiny_blip2("t5"), LORA, tmp_path / "adapter")

    with pytest.raises(PlaceError, match="is not empty"):
        merge_adapter(folder, Checkpoint(id="owner/base"), tiny_blip2("t5"), folder)


@pytest.mark.parametrize("cause", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_nothing(
    tiny_blip2: FolderOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: BaseException
) -> None:
    folder = tuned(tiny_blip2("t5"), LORA, tmp_path / "adapter")
    base = load_blip2(tiny_blip2("t5")).blip2.__class__

    def broken(self: Any, *args: Any, **kwargs: Any) -> None:
        raise cause

    monkeypatch.setattr(base, "save_pretrained", broken)
    with pytest.raises((PlaceError, KeyboardInterrupt)) as caught:
        merge_adapter(folder, Checkpoint(id="owner/base"), tiny_blip2("t5"), tmp_path / "merged")

    assert isinstance(cause, KeyboardInterrupt) or "its disk is full" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_weights_that_are_no_numbers_are_not_merged(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), LORA, seed=0)
    with torch.no_grad():
        next(p for p in bundle.model.parameters() if p.requires_grad).fill_(torch.inf)
    folder = save_adapter(bundle, tmp_path / "adapter", Checkpoint(id="owner/base"))

    with pytest.raises(CheckpointError, match=r"weights that are NaN or infinite.* train it again"):
        merge_adapter(folder, Checkpoint(id="owner/base"), tiny_blip2("t5"), tmp_path / "merged")


def test_an_adapter_names_its_base(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    base = Checkpoint(id="owner/base", revision="abc", dtype="bfloat16")
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), LORA, seed=0)
    folder = save_adapter(bundle, tmp_path / "adapter", base)
    assert adapter_base(folder) == base

    (folder / "foundry.json").unlink()  # as PEFT alone leaves it
    assert adapter_base(folder) == Checkpoint(id="owner/base", revision="abc")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "a/b/c"}))
    with pytest.raises(CheckpointError, match="neither a hub id nor a path"):
        adapter_base(folder)


def test_the_command_merges_an_adapter_that_is_named_by_its_folder(
    tiny_blip2: FolderOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tuned(tiny_blip2("t5"), LORA, tmp_path / "adapter")
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))

    done = foundry("merge", str(folder), str(tmp_path / "merged"), "--dtype", "bfloat16", "--json")

    assert done.code == 0, done.err
    told = done.told
    assert (told["folder"], told["dtype"]) == (str(tmp_path / "merged"), "bfloat16")
    assert (tmp_path / "merged" / "model.safetensors").is_file()
