"""Stable Diffusion XL: two readers of prompts, and the picture's size among what steers the denoiser."""

from pathlib import Path

from tests.layouts.diffusion import WIDTH, autoencoder, clip_text, clip_tokenizer, pipeline, unet

_SIZES = 6  # numbers that tell size and crop
_SIZE_WIDTH = 8


def build(folder: Path) -> None:
    """Write the repository."""
    from diffusers import EulerDiscreteScheduler

    denoiser = unet(
        cross_attention_dim=2 * WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=_SIZE_WIDTH,
        projection_class_embeddings_input_dim=_SIZES * _SIZE_WIDTH + WIDTH,
        transformer_layers_per_block=(1, 1),
        use_linear_projection=True,
    )
    parts = {
        "scheduler": EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading"),
        "text_encoder": clip_text(),
        "text_encoder_2": clip_text(projected=True),
        "tokenizer": clip_tokenizer(folder / "tokenizer"),
        "tokenizer_2": clip_tokenizer(folder / "tokenizer_2", pad="!"),
        "unet": denoiser,
        "vae": autoencoder(sample_size=32, scaling_factor=0.13025),
    }
    pipeline(folder, "StableDiffusionXLPipeline", parts, force_zeros_for_empty_prompt=True)
