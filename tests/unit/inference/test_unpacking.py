"""NF4 weights unpacked for batch work: the same answers within what bfloat16 rounds, where memory allows."""

from typing import Literal

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from blip_core.inference import predict
from blip_core.inference.unpacking import MEMORY_MARGIN, decide, unpack_if_roomy, unpacked_bytes
from blip_core.modeling import attach_adapter, load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.manifest import assert_manifest
from blip_core.recipes.finetune import Adapter
from blip_core.recipes.inference import Inference
from tests.tiny_blip2 import FolderOf, MakeExamples

TOLERANCE = 1e-4  # of a probability: the same products, summed in another order


@pytest.fixture
def auto(inference_settings: Inference) -> Inference:
    return inference_settings.model_copy(
        update={"dense": "auto", "describe_prompt": "", "free_generation": False}
    )


def nf4(tiny_blip2: FolderOf, family: Literal["t5", "opt"] = "t5") -> Blip2Bundle:
    return load_blip2(tiny_blip2(family), "nf4")


@pytest.mark.parametrize("family", ["t5", "opt"])
def test_the_unpacked_model_answers_as_its_nf4_twin(
    tiny_blip2: FolderOf, make_examples: MakeExamples, auto: Inference, family: Literal["t5", "opt"]
) -> None:
    packed = predict(nf4(tiny_blip2, family), make_examples(6), auto, "x")
    bundle, decision = unpack_if_roomy(nf4(tiny_blip2, family), auto)
    unpacked = predict(bundle, make_examples(6), auto, "x")

    assert decision.is_unpacked
    assert not any(isinstance(module, Linear4bit) for module in bundle.model.modules())
    assert_manifest(bundle.blip2, "none")
    for one, other in zip(packed, unpacked, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=TOLERANCE)


@pytest.mark.parametrize("family", ["t5", "opt"])
def test_what_was_unpacked_is_for_answering_alone(
    tiny_blip2: FolderOf, auto: Inference, family: Literal["t5", "opt"]
) -> None:
    packed = nf4(tiny_blip2, family)
    names = [name for name, module in packed.model.named_modules() if isinstance(module, Linear4bit)]
    biased = [name for name in names if packed.model.get_submodule(name).bias is not None]

    bundle, _ = unpack_if_roomy(packed, auto)

    whole = [bundle.model.get_submodule(name) for name in names]
    assert whole
    assert not any(parameter.requires_grad for module in whole for parameter in module.parameters())
    assert not any(module.training for module in whole)
    assert [name for name in names if bundle.model.get_submodule(name).bias is not None] == biased


def test_unpacking_needs_so_much_free_memory(tiny_blip2: FolderOf, auto: Inference) -> None:
    bundle = nf4(tiny_blip2)
    enough = int(unpacked_bytes(bundle) / MEMORY_MARGIN) + 1

    assert decide(bundle, auto, enough).is_unpacked
    refused = decide(bundle, auto, enough // 2)
    assert not refused.is_unpacked
    assert "stays nf4" in refused.reason


def test_who_never_wants_it_keeps_nf4(tiny_blip2: FolderOf, inference_settings: Inference) -> None:
    bundle, decision = unpack_if_roomy(nf4(tiny_blip2), inference_settings)

    assert bundle.quantisation == "nf4"
    assert "never" in decision.reason


@pytest.mark.parametrize("quantisation", ["none", "int8"])
def test_only_nf4_is_unpacked(
    tiny_blip2: FolderOf, auto: Inference, quantisation: Literal["none", "int8"]
) -> None:
    bundle = load_blip2(tiny_blip2("t5"), quantisation)

    assert unpack_if_roomy(bundle, auto)[0] is bundle


def test_weights_under_an_adapter_are_unpacked_too(
    tiny_blip2: FolderOf, make_examples: MakeExamples, auto: Inference
) -> None:
    tuned = attach_adapter(nf4(tiny_blip2), Adapter(preset="language-attention", r=2), seed=0)
    for name, parameter in tuned.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.constant_(parameter, 0.1)
    packed = predict(tuned, make_examples(4), auto, "x")
    unpacked = predict(unpack_if_roomy(tuned, auto)[0], make_examples(4), auto, "x")

    for one, other in zip(packed, unpacked, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=TOLERANCE)
