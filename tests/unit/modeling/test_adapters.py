import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from blip_core.adapter_card import read_facts
from blip_core.errors import CheckpointError
from blip_core.modeling import attach_adapter, check_adapter_folder, load_adapter, load_blip2, save_adapter
from blip_core.modeling.accounts import lora_parameters, trained_parameters
from blip_core.modeling.adapters import adapter_state, begin_with, restore_adapter
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.quantisation import Quantisation
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from tests.tiny_blip2 import FolderOf

BASE = Checkpoint(id="Salesforce/blip2-flan-t5-xl", revision="abc123")
QFORMER = Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.0)


ALL_PARTS = [
    QFORMER,
    Adapter(preset="language-attention-qk", r=4),
    Adapter(preset="projection"),
    Adapter(preset="projection-queries"),
    Adapter(pattern=r"qformer\..*\.query", r=4, full=("language_projection", "query_tokens")),
]


def name_of(adapter: Adapter) -> str:
    return adapter.preset or "pattern"


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


@pytest.mark.parametrize("adapter", ALL_PARTS, ids=name_of)
def test_all_that_is_trained_is_counted_kept_and_put_back(tiny_blip2: FolderOf, adapter: Adapter) -> None:
    counted = trained_parameters(load_blip2(tiny_blip2("t5")).blip2, adapter)
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), adapter, seed=0)
    state = adapter_state(bundle)
    before = _logits(bundle.blip2)

    disturbed = _logits(_disturbed(bundle).blip2)
    restore_adapter(bundle, state)

    assert sum(value.numel() for value in state.values()) == counted
    assert not torch.equal(disturbed, before)
    assert torch.equal(_logits(bundle.blip2), before)


@pytest.mark.parametrize("adapter", ALL_PARTS, ids=name_of)
@pytest.mark.parametrize("family", ["t5", "opt"])
def test_a_saved_adapter_gives_equal_logits(
    tiny_blip2: FolderOf, tmp_path: Path, family: str, adapter: Adapter
) -> None:
    bundle = _disturbed(attach_adapter(load_blip2(tiny_blip2(family)), adapter, seed=0))
    expected = _logits(bundle.blip2)
    save_adapter(bundle, tmp_path, BASE)

    loaded = load_adapter(load_blip2(tiny_blip2(family)), tmp_path)

    assert torch.equal(_logits(loaded.blip2), expected)
    assert not torch.equal(_logits(load_blip2(tiny_blip2(family)).blip2), expected)


@pytest.mark.parametrize("adapter", ALL_PARTS, ids=name_of)
@pytest.mark.parametrize("family", ["t5", "opt"])
def test_an_adapter_begins_where_a_saved_one_ended(
    tiny_blip2: FolderOf, tmp_path: Path, family: str, adapter: Adapter
) -> None:
    tuned = _disturbed(attach_adapter(load_blip2(tiny_blip2(family)), adapter, seed=0))
    save_adapter(tuned, tmp_path, BASE)
    begun = attach_adapter(load_blip2(tiny_blip2(family)), adapter, seed=1)

    begin_with(begun, tmp_path)

    assert torch.equal(_logits(begun.blip2), _logits(tuned.blip2))
    trained = adapter_state(begun)
    assert trained.keys() == adapter_state(tuned).keys()
    assert all(torch.equal(trained[name], value) for name, value in adapter_state(tuned).items())


@pytest.mark.parametrize("other", [0, 1, 2, 3], ids=["qformer", "language", "projection", "queries"])
def test_an_adapter_does_not_begin_with_one_of_other_parts(
    tiny_blip2: FolderOf, tmp_path: Path, other: int
) -> None:
    save_adapter(attach_adapter(load_blip2(tiny_blip2("t5")), ALL_PARTS[other], seed=0), tmp_path, BASE)
    begun = attach_adapter(load_blip2(tiny_blip2("t5")), ALL_PARTS[(other + 1) % 4], seed=0)

    with pytest.raises(CheckpointError, match="does not fit"):
        begin_with(begun, tmp_path)


def test_an_adapter_does_not_begin_with_one_of_another_rank(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    save_adapter(attach_adapter(load_blip2(tiny_blip2("t5")), QFORMER, seed=0), tmp_path, BASE)
    wider = QFORMER.model_copy(update={"r": 8})
    begun = attach_adapter(load_blip2(tiny_blip2("t5")), wider, seed=0)

    with pytest.raises(CheckpointError, match="does not fit this model"):
        begin_with(begun, tmp_path)


def test_an_adapter_that_was_loaded_is_saved_whole_again(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    tuned = _disturbed(attach_adapter(load_blip2(tiny_blip2("t5")), ALL_PARTS[3], seed=0))
    save_adapter(tuned, tmp_path / "one", BASE)
    save_adapter(load_adapter(load_blip2(tiny_blip2("t5")), tmp_path / "one"), tmp_path / "two", BASE)

    again = load_adapter(load_blip2(tiny_blip2("t5")), tmp_path / "two")

    assert torch.equal(_logits(again.blip2), _logits(tuned.blip2))
    assert read_facts(tmp_path / "one") == read_facts(tmp_path / "two")


def test_parts_in_full_are_float32_also_in_a_bfloat16_model(tiny_blip2: FolderOf) -> None:
    plain = _logits(load_blip2(tiny_blip2("t5"), dtype="bfloat16").blip2)
    bundle = attach_adapter(load_blip2(tiny_blip2("t5"), dtype="bfloat16"), ALL_PARTS[3], seed=0)
    logits = _logits(bundle.blip2)

    assert {value.dtype for value in adapter_state(bundle).values()} == {torch.float32}
    assert logits.dtype == torch.bfloat16
    assert torch.allclose(logits, plain, rtol=0.02, atol=0.02 * float(plain.abs().max()))


@pytest.mark.parametrize("quantisation", ["nf4", "int8", "none"])
@pytest.mark.parametrize("family", ["t5", "opt"])
def test_what_is_frozen_never_gets_a_gradient(
    tiny_blip2: FolderOf, family: str, quantisation: Quantisation
) -> None:
    bundle = attach_adapter(load_blip2(tiny_blip2(family), quantisation), ALL_PARTS[4], seed=0)

    bundle.blip2(**_inputs(bundle.blip2)).logits.float().logsumexp(-1).sum().backward()

    named = dict(bundle.model.named_parameters())
    assert {name for name, p in named.items() if p.grad is not None} == set(adapter_state(bundle))
    assert any(float(p.grad.norm()) > 0 for p in named.values() if p.grad is not None)


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
        "foundry.json",
    }


def test_an_adapter_for_another_model_is_refused(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    bundle = attach_adapter(load_blip2(tiny_blip2("t5")), Adapter(preset="language-attention", r=4), seed=0)
    save_adapter(bundle, tmp_path, BASE)

    with pytest.raises(CheckpointError, match="does not fit"):
        load_adapter(load_blip2(tiny_blip2("opt")), tmp_path)


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_query_tokens_that_are_missing_or_damaged_are_noticed(
    tiny_blip2: FolderOf, tmp_path: Path, damage: str
) -> None:
    save_adapter(attach_adapter(load_blip2(tiny_blip2("t5")), ALL_PARTS[3], seed=0), tmp_path, BASE)
    sidecar = tmp_path / "query_tokens.safetensors"
    if damage == "gone":
        sidecar.unlink()
    elif damage == "cut":
        sidecar.write_bytes(sidecar.read_bytes()[:20])
    else:
        save_file({"query_tokens": torch.zeros(1, 2, 3)}, sidecar)

    with pytest.raises(CheckpointError, match=r"query_tokens\.safetensors"):
        load_adapter(load_blip2(tiny_blip2("t5")), tmp_path)


def test_a_folder_without_safetensors_is_no_adapter(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")

    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors"):
        load_adapter(load_blip2(tiny_blip2("t5")), tmp_path)


def _disturbed(bundle: Blip2Bundle) -> Blip2Bundle:
    """As if tuned: every weight that is trained has moved."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return bundle


def _inputs(blip2: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(1, 3, 16, 16, generator=generator).to(blip2.vision_model.dtype)
    inputs = {"pixel_values": pixels, "input_ids": torch.tensor([[2, 2, 2, 2, 20, 21, 22]])}
    if not blip2.config.is_encoder_decoder:
        return inputs
    return inputs | {"decoder_input_ids": torch.zeros(1, 1, dtype=torch.long)}


@torch.no_grad()
def _logits(blip2: Any) -> torch.Tensor:
    logits: torch.Tensor = blip2.eval()(**_inputs(blip2)).logits
    return logits


def _fingerprint(model: torch.nn.Module) -> float:
    return sum(float(p.detach().double().sum()) for name, p in model.named_parameters() if "lora_A" in name)


@pytest.mark.parametrize(
    "name", ["adapter_model.safetensors", "adapter_config.json", "query_tokens.safetensors"]
)
def test_an_adapter_that_git_lfs_never_filled_is_told_as_such(name: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    save_file({"x": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    (tmp_path / name).write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 900\n"
    )

    with pytest.raises(CheckpointError, match=rf"{name} is a git-lfs pointer.*git lfs pull"):
        check_adapter_folder(tmp_path)
