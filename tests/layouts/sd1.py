"""Stable Diffusion 1.x without a safety checker, as dreamlike-photoreal-2.0 and its like lie on the hub."""

from pathlib import Path

from tests.layouts.diffusion import autoencoder, clip_text, clip_tokenizer, pipeline, unet


def build(folder: Path) -> None:
    """Write the repository."""
    from diffusers import DDIMScheduler

    parts = {
        "feature_extractor": None,
        "safety_checker": None,
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False, set_alpha_to_one=False),
        "text_encoder": clip_text(),
        "tokenizer": clip_tokenizer(folder / "tokenizer"),
        "unet": unet(),
        "vae": autoencoder(),
    }
    pipeline(folder, "StableDiffusionPipeline", parts)
