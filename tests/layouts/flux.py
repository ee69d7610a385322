"""FLUX.1: a flow transformer in shards, told its guidance; CLIP reads the prompt whole, T5 its words."""

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

_CHANNELS = 4


def build(folder: Path) -> None:
    """Write the repository."""
    _build(folder, is_guided=True)


def build_schnell(folder: Path) -> None:
    """Write the repository of the model that was distilled to few steps and takes no guidance."""
    _build(folder, is_guided=False)


def _build(folder: Path, is_guided: bool) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel

    transformer = drawn(
        FluxTransformer2DModel(
            patch_size=1,
            in_channels=4 * _CHANNELS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=is_guided,
        )
    )
    transformer.save_pretrained(folder / "transformer", max_shard_size="100KB")
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=is_guided),
        "text_encoder": clip_text(),
        "text_encoder_2": t5_text(),
        "tokenizer": clip_tokenizer(folder / "tokenizer"),
        "tokenizer_2": t5_tokenizer(folder / "tokenizer_2"),
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "vae": autoencoder(_CHANNELS, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1159),
    }
    pipeline(folder, "FluxPipeline", parts)
