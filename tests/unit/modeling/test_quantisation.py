import pytest
import torch
from bitsandbytes.nn import Linear4bit

from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2
from blip_core.modeling.features import decode_picture, image_features, prompt_embeddings, vision_states
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.manifest import assert_manifest
from blip_core.modeling.quantisation import is_quantisable
from blip_core.modeling.text import pad_prompts, prompt_ids
from tests.tiny_blip2 import FolderOf, MakeExamples


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
