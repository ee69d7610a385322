"""Stable Diffusion 1.5: PNDM, and a safety checker as folders of 2022 name its parts. It flags nothing."""

from pathlib import Path

from tests.layouts.diffusion import (
    WIDTH,
    autoencoder,
    clip_text,
    clip_tokenizer,
    drawn,
    pipeline,
    unet,
    write_json,
)

_PX = 16


def build(folder: Path) -> None:
    """Write the repository."""
    from diffusers import PNDMScheduler

    _write_checker(folder)
    parts = {
        "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        "text_encoder": clip_text(),
        "tokenizer": clip_tokenizer(folder / "tokenizer"),
        "unet": unet(),
        "vae": autoencoder(),
    }
    pipeline(folder, "StableDiffusionPipeline", parts, requires_safety_checker=True)


def _write_checker(folder: Path) -> None:
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=_PX,
        patch_size=8,
        projection_dim=WIDTH,
    )
    checker = drawn(
        StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision.to_dict(), projection_dim=WIDTH))
    )
    checker.concept_embeds_weights.data.fill_(2.0)  # above every cosine
    checker.special_care_embeds_weights.data.fill_(2.0)
    checker.save_pretrained(folder / "safety_checker")
    extractor = {
        "crop_size": _PX,
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": _PX,
    }
    write_json(folder / "feature_extractor" / "preprocessor_config.json", extractor)
