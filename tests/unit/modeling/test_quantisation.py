import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from transformers.integrations.bitsandbytes import Bnb4bitQuantize

from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2
from blip_core.modeling.features import decode_picture, image_features, prompt_embeddings, vision_states
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.manifest import assert_manifest
from blip_core.modeling.quantisation import is_quantisable, quantisation_config
from blip_core.modeling.text import pad_prompts, prompt_ids
from tests.tiny_blip2 import PICTURE_PX, WIDTH, FolderOf, MakeExamples, save_tiny_blip2


@pytest.mark.parametrize(
    ("name", "quantised"),
    [
        ("language_model.encoder.block.0.layer.0.SelfAttention.q", True),
        ("language_model.encoder.block.0.layer.1.DenseReluDense.wo", False),
        ("language_model.lm_head", False),
        ("language_projection", False),
        ("vision_model.encoder.layers.0.mlp.fc1", False),
        ("qformer.encoder.layer.0.attention.attention.query", False),
    ],
)
def test_what_is_quantised_by_name(name: str, quantised: bool) -> None:
    assert is_quantisable(name) is quantised


def test_a_quantised_part_that_should_be_whole_is_noticed(tiny_blip2: FolderOf) -> None:
    blip2 = load_blip2(tiny_blip2("t5"), "nf4").blip2
    blip2.language_projection = Linear4bit(32, 32)

    with pytest.raises(CheckpointError, match="language_projection is Linear4bit"):
        assert_manifest(blip2, "nf4")


def test_a_language_model_left_whole_is_noticed(tiny_blip2: FolderOf) -> None:
    with pytest.raises(CheckpointError, match="should be Linear4bit"):
        assert_manifest(load_blip2(tiny_blip2("t5")).blip2, "nf4")


def test_gradients_reach_the_q_former_through_nf4_also_after_an_evaluation(
    tiny_blip2: FolderOf, make_examples: MakeExamples
) -> None:
    bundle = load_blip2(tiny_blip2("t5"), "nf4")
    bundle.blip2.qformer.requires_grad_(True)
    states = vision_states(bundle, [decode_picture(make_examples(1)[0])])

    before = _gradient_norm(bundle, states)
    with torch.no_grad():
        _loss(bundle, states)
    after = _gradient_norm(bundle, states)

    assert before > 0
    assert after == pytest.approx(before, rel=1e-4)


def _bfloat16_error() -> float:
    """Eight bits of mantissa, through two blocks; 0.034 was measured where the CPU has no AVX-512."""
    return 0.03 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 0.05


@pytest.mark.parametrize("family", ["t5", "opt"])
def test_nf4_computes_what_its_dequantised_twin_does(tiny_blip2: FolderOf, family: str) -> None:
    nf4 = load_blip2(tiny_blip2(family), "nf4")
    as_loaded = _all_logits(nf4)  # multiplied in bfloat16
    _compute_in_float32(nf4.blip2)
    exact = _all_logits(nf4)
    whole = _all_logits(load_blip2(tiny_blip2(family)))

    assert _dequantise(nf4.blip2) > 0
    twin = _all_logits(nf4)

    assert not any(isinstance(module, Linear4bit) for module in nf4.blip2.modules())
    assert torch.allclose(exact, twin, rtol=1e-4, atol=1e-4)
    assert _distance(as_loaded, twin) < _bfloat16_error()
    assert _distance(whole, twin) > 0.03  # the twin is not the model that was never quantised


def test_int8_keeps_large_inputs_in_half_precision() -> None:
    config = quantisation_config("int8")

    assert config is not None
    assert config.llm_int8_threshold == 6.0


@pytest.fixture
def only_new_objects() -> Iterator[None]:
    """What was alive before is not looked through."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_new_objects")
def test_loading_nf4_holds_one_unquantised_weight_of_the_t5_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _save_blip2_of_odd_shapes(tmp_path)
    held: list[int] = []
    quantise = Bnb4bitQuantize.convert

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        held.append(_dense_bytes())
        result = quantise(self, *args, **kwargs)
        held.append(_dense_bytes())
        return result

    monkeypatch.setattr(Bnb4bitQuantize, "convert", watched)
    bundle = load_blip2(folder, "nf4")

    sizes = [rows * columns * FLOAT32_BYTES for rows, columns in T5_LINEARS]
    assert len(held) == 2 * sum(isinstance(module, Linear4bit) for module in bundle.blip2.modules())
    assert 0 < max(held) <= max(sizes)
    assert _dense_bytes() == 0
    whole = load_blip2(folder)  # what is counted is there when nothing is quantised
    assert _dense_bytes() == sum(
        module.weight.nbytes for name, module in whole.blip2.named_modules() if is_quantised(name, module)
    )


# Shapes that no other part of the tiny model has, so that a dense weight of the T5 is known when it is met.
T5_ATTENTION, T5_FEED_FORWARD = 4 * 11, 84
T5_LINEARS = [(T5_ATTENTION, WIDTH), (WIDTH, T5_ATTENTION), (T5_FEED_FORWARD, WIDTH)]
FLOAT32_BYTES = 4


def is_quantised(name: str, module: Any) -> bool:
    return isinstance(module, torch.nn.Linear) and is_quantisable(name)


def _save_blip2_of_odd_shapes(folder: Path) -> Path:
    from transformers import AutoTokenizer, Blip2ForConditionalGeneration

    save_tiny_blip2("t5", folder)
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    config = Blip2ForConditionalGeneration.config_class.from_pretrained(folder)
    config.text_config.d_kv = T5_ATTENTION // config.text_config.num_heads
    config.text_config.d_ff = T5_FEED_FORWARD
    assert vocabulary not in (T5_ATTENTION, T5_FEED_FORWARD)
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def _dense_bytes() -> int:
    """Bytes of floating-point tensors alive that have the shape of a linear of the T5; aliases count once."""
    found = (one for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter))
    dense = {
        one.untyped_storage().data_ptr(): one.nbytes
        for one in found
        if not one.is_meta and one.is_floating_point() and tuple(one.shape) in T5_LINEARS
    }
    return sum(dense.values())


def _compute_in_float32(blip2: Any) -> None:
    for module in blip2.modules():
        if isinstance(module, Linear4bit):
            module.compute_dtype = torch.float32


def _dequantise(blip2: Any) -> int:
    """Put a plain linear of the dequantised weight in the place of every NF4 one; says how many."""
    quantised = [(name, module) for name, module in blip2.named_modules() if isinstance(module, Linear4bit)]
    for name, module in quantised:
        plain = torch.nn.Linear(module.in_features, module.out_features, module.bias is not None)
        plain.weight.data = dequantize_4bit(module.weight.data, module.weight.quant_state).float()
        if module.bias is not None:
            plain.bias.data = module.bias.data.float()
        blip2.set_submodule(name, plain)
    return len(quantised)


@torch.no_grad()
def _all_logits(bundle: Blip2Bundle) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(1, 3, PICTURE_PX, PICTURE_PX, generator=generator)
    inputs = {"pixel_values": pixels, "input_ids": torch.tensor([[2, 2, 2, 2, 20, 21, 22]])}
    extra = {"decoder_input_ids": torch.tensor([[0, 5, 6]])} if bundle.family == "t5" else {}
    logits: torch.Tensor = bundle.blip2(**inputs, **extra).logits.float()
    return logits


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def _gradient_norm(bundle: Blip2Bundle, states: torch.Tensor) -> float:
    bundle.blip2.zero_grad()
    _loss(bundle, states).backward()
    return float(bundle.blip2.qformer.encoder.layer[0].crossattention.attention.query.weight.grad.norm())


def _loss(bundle: Blip2Bundle, states: torch.Tensor) -> torch.Tensor:
    prompts = pad_prompts(bundle, [prompt_ids(bundle, "What is it?")])
    embeddings = prompt_embeddings(bundle, prompts, image_features(bundle, states))
    loss: torch.Tensor = bundle.blip2.language_model(
        inputs_embeds=embeddings, attention_mask=prompts.attention_mask, labels=torch.tensor([[5, 1]])
    ).loss
    return loss
