"""Sizes of BLIP-2: the published ones, and small ones of the same build.

All keep what a picture costs in tokens: 257 patches, 32 queries. `8M` and `55M` keep the shares of the
published flan-t5-xl as well: about a quarter of the weights sees, the rest reads and writes. In those with a
large tower more than half of the weights sees, and that is the larger part of the work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import (
    Blip2Config,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    InstructBlipConfig,
    InstructBlipQFormerConfig,
    InstructBlipVisionConfig,
    LlamaConfig,
    OPTConfig,
    T5Config,
)

from blip_core.modeling.backbones import Family


def flan_t5_xl() -> Any:
    """Salesforce/blip2-flan-t5-xl, its head untied as published."""
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


def flan_t5_xl_eyes() -> Any:
    """All that sees of flan-t5-xl, before one layer of its language model."""
    config = flan_t5_xl()
    config.text_config.num_layers = config.text_config.num_decoder_layers = 1
    return config


def opt_2_7b() -> Any:
    """Salesforce/blip2-opt-2.7b."""
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


def _small_t5(
    *, vision: int, vision_layers: int, qformer: int, qformer_layers: int, text: int, text_layers: int
) -> Any:
    """A small BLIP-2 T5 of given widths and depths; a head is 22 (vision), 48 (Q-Former), 32 (T5) wide."""
    t5 = T5Config(
        vocab_size=1024,
        d_model=text,
        d_kv=32,
        d_ff=text * 5 // 2,
        num_layers=text_layers,
        num_heads=text // 32,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return Blip2Config(
        vision_config=Blip2VisionConfig(
            hidden_size=vision,
            intermediate_size=round(vision * 6144 / 1408),
            num_hidden_layers=vision_layers,
            num_attention_heads=vision // 22,
        ),
        qformer_config=Blip2QFormerConfig(
            hidden_size=qformer,
            intermediate_size=4 * qformer,
            num_hidden_layers=qformer_layers,
            num_attention_heads=qformer // 48,
            encoder_hidden_size=vision,
        ),
        text_config=t5,
    )


def _tiny(family: Family) -> Any:
    """Some 100,000 weights over 17 patches, for tests of the machinery."""
    config = _small_t5(vision=44, vision_layers=2, qformer=48, qformer_layers=2, text=64, text_layers=2)
    config.vision_config.image_size = 56
    config.num_query_tokens = 4
    if family != "t5":
        config.text_config = _tiny_decoder(family)
    return Blip2Config(
        vision_config=config.vision_config,
        qformer_config=config.qformer_config,
        text_config=config.text_config,
        num_query_tokens=4,
    )


def _tiny_decoder(family: Family) -> Any:
    shared = {
        "vocab_size": 1024,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
    }
    if family == "opt":
        return OPTConfig(ffn_dim=128, word_embed_proj_dim=64, **shared)
    return LlamaConfig(intermediate_size=160, num_key_value_heads=2, **shared)


def _tiny_instructed(family: Family) -> Any:
    """A tiny InstructBLIP: the same parts, its Q-Former with words."""
    config = _tiny(family)
    vision, qformer = config.vision_config.to_dict(), config.qformer_config.to_dict()
    return InstructBlipConfig(
        vision_config=InstructBlipVisionConfig(**vision).to_dict(),
        qformer_config=InstructBlipQFormerConfig(**qformer | {"vocab_size": 512}).to_dict(),
        text_config=config.text_config.to_dict(),
        num_query_tokens=4,
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """A size of BLIP-2.

    Attributes:
        config: makes its `Blip2Config`.
        family: of its language model.
        dtype: its weights are saved in.
    """

    config: Callable[[], Any]
    family: Family
    dtype: str


SHAPES: Mapping[str, Shape] = {
    "tiny-t5": Shape(partial(_tiny, "t5"), "t5", "float32"),
    "tiny-opt": Shape(partial(_tiny, "opt"), "opt", "float32"),
    "tiny-llama": Shape(partial(_tiny, "llama"), "llama", "float32"),
    "tiny-instructed-t5": Shape(partial(_tiny_instructed, "t5"), "t5", "float32"),
    "tiny-instructed-llama": Shape(partial(_tiny_instructed, "llama"), "llama", "float32"),
    "8M": Shape(
        partial(
            _small_t5, vision=176, vision_layers=5, qformer=96, qformer_layers=2, text=256, text_layers=3
        ),
        "t5",
        "float32",
    ),
    "55M": Shape(
        partial(
            _small_t5, vision=352, vision_layers=10, qformer=192, qformer_layers=4, text=512, text_layers=5
        ),
        "t5",
        "float32",
    ),
    "8M-large-tower": Shape(
        partial(
            _small_t5, vision=264, vision_layers=6, qformer=144, qformer_layers=2, text=160, text_layers=2
        ),
        "t5",
        "float32",
    ),
    "55M-large-tower": Shape(
        partial(
            _small_t5, vision=528, vision_layers=8, qformer=288, qformer_layers=4, text=384, text_layers=5
        ),
        "t5",
        "float32",
    ),
    "flan-t5-xl": Shape(flan_t5_xl, "t5", "bfloat16"),
    "flan-t5-xl-eyes": Shape(flan_t5_xl_eyes, "t5", "bfloat16"),
    "opt-2.7b": Shape(opt_2_7b, "opt", "bfloat16"),
}
