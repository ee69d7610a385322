import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import Blip2ForConditionalGeneration

from blip_core.errors import CheckpointError, RecipeError
from blip_core.modeling import attach_adapter, load_adapter, load_blip2, save_adapter, targeted_linears
from blip_core.modeling.accounts import lora_parameters
from blip_core.modeling.adapters import check_adapter_fits
from blip_core.modeling.architecture import meta_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter, AdapterPreset
from tests.tiny_blip2 import FolderOf, blip2_config

BASE = Checkpoint(id="Salesforce/blip2-flan-t5-xl", revision="abc123")
QFORMER = Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.0)


@pytest.mark.parametrize(
    ("preset", "part", "count"),
    [
        ("qformer", "qformer", 16),
        ("qformer-attention", "qformer", 9),
        ("projection", "language_projection", 1),
    ],
)
def test_presets_sit_where_their_names_say(preset: AdapterPreset, part: str, count: int) -> None:
    linears = targeted_linears(meta_blip2(blip2_config("t5", 300, 2)), Adapter(preset=preset))

    assert {name.split(".")[0] for name in linears} == {part}
    assert len(linears) == count


@pytest.mark.parametrize("family", ["t5", "opt"])
def test_language_attention_finds_two_projections_of_each_block(family: str) -> None:
    linears = targeted_linears(meta_blip2(blip2_config(family, 300, 2)), Adapter(preset="language-attention"))

    assert len(linears) == (2 * (2 + 2 + 2) if family == "t5" else 2 * 2)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("qformer", "cannot sit"),
        ("nothing.*", "matches no module"),
        (r".*\.(query|fc1)", "vision tower stays frozen"),
        (r"language_model\.lm_head", "cannot sit"),
    ],
)
def test_patterns_that_cannot_work_are_refused_without_weights(pattern: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        targeted_linears(meta_blip2(blip2_config("t5", 300, 2)), Adapter(pattern=pattern))


def test_a_checkpoint_tells_from_its_config_whether_an_adapter_fits(tiny_blip2: FolderOf) -> None:
    check_adapter_fits(tiny_blip2("opt"), QFORMER)

    with pytest.raises(RecipeError, match="matches no module"):
        check_adapter_fits(tiny_blip2("opt"), Adapter(pattern=r"language_model\..*\.SelfAttention\.q"))


def test_a_fresh_adapter_changes_nothing_and_alone_requires_gradients(tiny_blip2: FolderOf) -> None:
    plain = _logits(load_blip2(tiny_blip2("t5")).blip2)
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), QFORMER, seed=0)

    assert torch.equal(_logits(bundle.blip2), plain)
    trained = {name: p for name, p in bundle.model.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in name and "qformer" in name for name in trained)
    counted = lora_parameters(load_blip2(tiny_blip2("t5")).blip2, QFORMER)
    assert sum(p.numel() for p in trained.values()) == counted


def test_a_seed_names_an_adapter(tiny_blip2: FolderOf) -> None:
    first, again, other = (
        attach_adapter(load_blip2(tiny_blip2("t5")), QFORMER, seed=seed).model for seed in (1, 1, 2)
    )

    assert _fingerprint(first) == _fingerprint(again)
    assert _fingerprint(first) != _fingerprint(other)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # plain PEFT reads it
@pytest.mark.parametrize("family", ["t5", "opt"])
def test_a_saved_adapter_gives_equal_logits_here_and_with_plain_peft(
    tiny_blip2: FolderOf, tmp_path: Path, family: str
) -> None:
    bundle = _disturbed(attach_adapter(load_blip2(tiny_blip2(family)), QFORMER, seed=0))
    expected = _logits(bundle.blip2)
    save_adapter(bundle, tmp_path, BASE)

    ours = load_adapter(load_blip2(tiny_blip2(family)), tmp_path)
    plain = PeftModel.from_pretrained(
        Blip2ForConditionalGeneration.from_pretrained(tiny_blip2(family)), tmp_path
    )

    assert torch.equal(_logits(ours.blip2), expected)
    assert torch.equal(_logits(plain.get_base_model()), expected)
    assert not torch.equal(_logits(load_blip2(tiny_blip2(family)).blip2), expected)


def test_a_saved_adapter_names_its_base_and_task(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), QFORMER, seed=0)
    save_adapter(bundle, tmp_path, BASE, notes="Tuned on ten rows.")

    config = json.loads((tmp_path / "adapter_config.json").read_text())
    card = (tmp_path / "README.md").read_text()
    assert (config["base_model_name_or_path"], config["revision"]) == (BASE.id, BASE.revision)
    assert config["task_type"] == "SEQ_2_SEQ_LM"
    assert f"base_model: {BASE.id}" in card
    assert "Tuned on ten rows." in card
    assert str(tiny_blip2("t5")) not in card
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_an_adapter_for_another_model_is_refused(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), Adapter(preset="language-attention", r=4), seed=0)
    save_adapter(bundle, tmp_path, BASE)

    with pytest.raises(CheckpointError, match="does not fit"):
        load_adapter(load_blip2(tiny_blip2("opt")), tmp_path)


def test_a_folder_without_safetensors_is_no_adapter(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")

    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors"):
        load_adapter(load_blip2(tiny_blip2("t5")), tmp_path)


def _disturbed(bundle: Blip2Bundle) -> Blip2Bundle:
    """As if tuned: B is no longer zero."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in bundle.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return bundle


def _logits(blip2: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(1, 3, 16, 16, generator=generator)
    ids = torch.tensor([[2, 2, 2, 2, 20, 21, 22]])
    extra = (
        {"decoder_input_ids": torch.zeros(1, 1, dtype=torch.long)} if blip2.config.is_encoder_decoder else {}
    )
    with torch.no_grad():
        logits: torch.Tensor = blip2.eval()(pixel_values=pixels, input_ids=ids, **extra).logits
    return logits


def _fingerprint(model: torch.nn.Module) -> float:
    return sum(float(p.detach().double().sum()) for name, p in model.named_parameters() if "lora_A" in name)
