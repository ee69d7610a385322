"""From trained parts to a folder that plain `StableDiffusionPipeline.from_pretrained` loads."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
)
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTokenizer

from blip_core import strict_json
from blip_core.pocket.painter.denoiser import SCHEDULE, Denoiser
from blip_core.pocket.painter.parts import replace_folder
from blip_core.pocket.tokenizers import shorten_tokenizer


def build_scheduler(name: str = "ddim") -> DDIMScheduler | DPMSolverMultistepScheduler:
    """Sampler for the painter's noise schedule: `ddim`, or second-order `dpm` (Lu et al., 2022)."""
    if name == "ddim":
        return DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=True)
    return DPMSolverMultistepScheduler(**SCHEDULE, solver_order=2, final_sigmas_type="zero")


def assemble_pipeline(
    vae: AutoencoderKL,
    denoiser: Denoiser,
    tokenizer: CLIPTokenizer,
    latent_mean: NDArray[np.float32],
    latent_deviation: float,
    scheduler: str = "ddim",
) -> StableDiffusionPipeline:
    """Put a pipeline together; latents are centred inside the autoencoder and scaled by its config.

    Args:
        vae: trained autoencoder; its outer 1 x 1 convolutions are changed in place.
        denoiser: trained UNet and text encoder.
        tokenizer: the text encoder's.
        latent_mean: float32, (8,), mean of every latent channel.
        latent_deviation: standard deviation of all latents around it.
        scheduler: see `build_scheduler`.
    """
    _centre_latents(vae, torch.from_numpy(latent_mean))
    vae.register_to_config(scaling_factor=1.0 / latent_deviation)
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=denoiser.text_encoder,
        tokenizer=tokenizer,
        unet=denoiser.unet,
        scheduler=build_scheduler(scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def publish_pipeline(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Write a pipeline in half precision to `folder`, in one step for whoever reads it."""
    fresh = folder.with_name(f"{folder.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    for module in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
        module.half()
    pipeline.save_pretrained(fresh, safe_serialization=True)
    shorten_tokenizer(fresh / "tokenizer")
    config = fresh / "text_encoder" / "config.json"
    # Weights rest in half precision; without this line the text encoder alone would also compute in it.
    config.write_text(strict_json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2))
    replace_folder(fresh, folder)


@torch.no_grad()
def _centre_latents(vae: AutoencoderKL, mean: Tensor) -> None:
    inner, outer = vae.quant_conv, vae.post_quant_conv
    inner.bias[: len(mean)] -= mean
    outer.bias += outer.weight[:, :, 0, 0] @ mean
