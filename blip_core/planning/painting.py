"""A Stable Diffusion pipeline: what a batch of pictures takes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

from blip_core.planning.footprint import Footprint, parameter_bytes
from blip_core.planning.live_bytes import AsOn, LiveBytes, Where
from blip_core.planning.meta_blip2 import DTYPES, META, token_ids
from blip_core.recipes.pictures import Pictures


def pipeline_modules(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The modules of a pipeline's parts on the `meta` device, by name."""
    from diffusers import AutoencoderKL, UNet2DConditionModel  # advises on other packages when it is imported

    autoencoder: Any = AutoencoderKL
    denoiser: Any = UNet2DConditionModel
    with META:
        modules = {
            "unet": denoiser.from_config(dict(parts["unet"])),
            "vae": autoencoder.from_config(dict(parts["vae"])),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**_plain(parts["text_encoder"]))),
        }
        if "safety_checker" in parts:
            vision = parts["safety_checker"].get("vision_config", {})
            modules["safety_checker"] = CLIPVisionModel(CLIPVisionConfig(**_plain(vision)))
    return modules


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in ("model_type", "architectures")}


def paint(parts: Mapping[str, Any], settings: Pictures, where: Where) -> Footprint:
    """What a batch of pictures takes: texts read, latents denoised step by step, pictures decoded."""
    modules = pipeline_modules(parts)
    dtype = DTYPES[settings.model.dtype]
    for module in modules.values():
        nn.Module.to(module, dtype)  # diffusers' own would warn of types that none of these parts has
        module.eval().requires_grad_(False)
    guided = settings.batch_size * (2 if settings.guidance_scale > 1 else 1)
    shrinking = 2 ** (len(parts["vae"]["block_out_channels"]) - 1)
    height, width = settings.height_px // shrinking, settings.width_px // shrinking
    channels, tokens = parts["unet"]["in_channels"], parts["text_encoder"]["max_position_embeddings"]
    with torch.no_grad(), AsOn(where, padded=False), LiveBytes(*modules.values()) as live:
        with live.part() as once:
            texts = modules["text_encoder"](input_ids=token_ids(guided, tokens)).last_hidden_state
            latents = torch.empty(settings.batch_size, channels, height, width, dtype=dtype, device=META)
        read = once()
        with live.part() as step:
            doubled = torch.cat([latents] * (guided // settings.batch_size))
            noise = modules["unet"](doubled, torch.ones((), device=META), encoder_hidden_states=texts).sample
            latents = latents - noise[: settings.batch_size]
            del doubled, noise
        denoised = step()
        with live.part() as decoding:
            modules["vae"].decode(latents / 1.0).sample.float()
        decoded = decoding()
    work = read + denoised * settings.steps + decoded
    return Footprint(parameter_bytes(list(modules.values())), 0, live.peak, work)
