"""The parameter counts that the source documents print, from configs alone."""

from typing import Any

import pytest

from blip_core.modeling import account_parameters
from blip_core.recipes.finetune import Adapter

BEFORE = 3_949_180_416
AFTER = 2_841_884_160
OPT_TRAINED = 5_242_880
OPT_TOTAL = 3_749_922_816


def flan_t5_xl() -> Any:
    from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, T5Config

    text = T5Config(
        vocab_size=32_128,
        d_model=2048,
        d_kv=64,
        d_ff=5120,
        num_layers=24,
        num_heads=32,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return Blip2Config(
        vision_config=Blip2VisionConfig(), qformer_config=Blip2QFormerConfig(), text_config=text
    )


def opt_2_7b() -> Any:
    from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, OPTConfig

    text = OPTConfig(
        vocab_size=50_272,
        hidden_size=2560,
        ffn_dim=10_240,
        num_hidden_layers=32,
        num_attention_heads=32,
        word_embed_proj_dim=2560,
    )
    return Blip2Config(
        vision_config=Blip2VisionConfig(), qformer_config=Blip2QFormerConfig(), text_config=text
    )


def test_flan_t5_xl_with_its_adapter_before_and_after_quantisation() -> None:
    account = account_parameters(flan_t5_xl(), Adapter(preset="qformer", r=32), "nf4")

    assert account.total == BEFORE
    assert account.total_packed == AFTER


def test_opt_with_an_adapter_on_two_attention_projections() -> None:
    account = account_parameters(opt_2_7b(), Adapter(preset="language-attention", r=16), "none")

    assert account.adapter == OPT_TRAINED
    assert account.total == OPT_TOTAL
    assert account.trainable_share == pytest.approx(0.001398, abs=5e-7)


def test_the_qformer_preset_sits_on_96_linears() -> None:
    from blip_core.modeling import targeted_linears
    from blip_core.modeling.architecture import meta_blip2

    assert len(targeted_linears(meta_blip2(flan_t5_xl()), Adapter(preset="qformer"))) == 96
