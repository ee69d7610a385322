"""Stable Diffusion 3: a flow transformer in shards, and three readers of prompts."""

from pathlib import Path

from tests.layouts.diffusion import (
    WIDTH,
    autoencoder,
    clip_text,
    clip_tokenizer,
    drawn,
    pipeline,
    t5_text,
    t5_tokenizer,
)

_CHANNELS = 16


def build(folder: Path) -> None:
    """Write the repository."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel

    transformer = drawn(
        SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=_CHANNELS,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=32,
            joint_attention_dim=2 * WIDTH,
            pooled_projection_dim=2 * WIDTH,
            out_channels=_CHANNELS,
        )
    )
    transformer.save_pretrained(folder / "transformer", max_shard_size="100KB")
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
        "text_encoder": clip_text(projected=True),
        "text_encoder_2": clip_text(projected=True),
        "text_encoder_3": t5_text(),
        "tokenizer": clip_tokenizer(folder / "tokenizer"),
        "tokenizer_2": clip_tokenizer(folder / "tokenizer_2", pad="!"),
        "tokenizer_3": t5_tokenizer(folder / "tokenizer_3"),
        "transformer": ["diffusers", "SD3Transformer2DModel"],
        "vae": autoencoder(_CHANNELS, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609),
    }
    pipeline(folder, "StableDiffusion3Pipeline", parts)
