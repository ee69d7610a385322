"""LLaVA and Stable Diffusion of any size with random weights, made where they run, behind our own backends.

The backends read folders; here they are given what they would have read, so that all that is timed is theirs.
What these models write and paint means nothing.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from blip_core.backends.diffusers_painter import DiffusersPainter, call_arguments
from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.loading import DTYPES
from blip_core.backends.memory import Batches
from blip_core.backends.sampling import Sampling, forget_sampling_defaults, prepare_tokenizer
from blip_core.planning.architectures import architecture_of
from blip_core.recipes.checkpoint import Checkpoint, Dtype
from blip_core.recipes.pictures import Pictures
from tests.benchmarks.drawn import drawn
from tests.benchmarks.random_blip2 import make_tokenizer

_NOWHERE = Path("/nonexistent")  # no snapshot is read, shapes are taken as published
_IMAGE = 2  # place of <image> in the random models' vocabulary
_SCHEDULE = {  # that of Stable Diffusion 1.x
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
_PROMPT_TOKENS = 77  # that a Stable Diffusion's text encoder reads


def published_config(checkpoint: str, kind: Any) -> Any:
    """How a checkpoint that the shipped recipes name is built."""
    return architecture_of(Checkpoint(id=checkpoint), kind, "a report", _NOWHERE, _NOWHERE).config


def tiny_llava() -> Any:
    """Some 100,000 weights, four patches a picture."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes, image_size=28, patch_size=14),
        text_config=LlamaConfig(**sizes, vocab_size=1024, max_position_embeddings=1024),
    )


def tiny_diffusion() -> dict[str, Any]:
    """A pipeline's parts, of two levels each."""
    down, up = ["CrossAttnDownBlock2D", "DownBlock2D"], ["UpBlock2D", "CrossAttnUpBlock2D"]
    unet = {"in_channels": 4, "out_channels": 4, "layers_per_block": 1, "block_out_channels": [32, 64]}
    unet |= {"cross_attention_dim": 32, "attention_head_dim": 8, "sample_size": 16}
    vae = {"in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [32, 64]}
    text = {"vocab_size": 1024, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text |= {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    return {
        "unet": unet | {"down_block_types": down, "up_block_types": up},
        "vae": vae
        | {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2},
        "text_encoder": text | {"num_attention_heads": 2, "max_position_embeddings": _PROMPT_TOKENS},
    }


class RandomLabeller(ImageTextLabeller):
    """A labeller whose LLaVA was drawn where it runs."""

    def __init__(self, config: Any, prompt: str, sampling: Sampling, device: str, dtype: Dtype) -> None:
        config.image_token_index = config.image_token_id = _IMAGE
        tokenizer = make_tokenizer([prompt], "opt", config.text_config.vocab_size)
        vision = config.vision_config
        self._processor = LlavaProcessor(
            CLIPImageProcessorPil(
                size={"shortest_edge": vision.image_size},
                crop_size={"height": vision.image_size, "width": vision.image_size},
            ),
            tokenizer,
            patch_size=vision.patch_size,
            vision_feature_select_strategy=config.vision_feature_select_strategy,
            image_token="<image>",
            num_additional_image_tokens=1,
        )
        model = _drawn_by_fan_in(LlavaForConditionalGeneration, config, DTYPES[dtype], device)
        prepare_tokenizer(tokenizer)
        forget_sampling_defaults(model, tokenizer)
        self._template, self._takes_types = None, False
        self._sampling, self._batches = sampling, Batches("pictures", "take a smaller batch")
        self._model = model.eval().requires_grad_(False)

    def sample(self, sampling: Sampling) -> None:
        """Draw otherwise from now on."""
        self._sampling = sampling

    def prompt_tokens(self, prompt: str) -> int:
        """Tokens of a prompt with its picture."""
        vision = self._processor.image_processor.crop_size["height"] // self._processor.patch_size
        return len(self._processor.tokenizer(prompt)["input_ids"]) - 1 + int(vision**2)


class RandomPainter(DiffusersPainter):
    """A painter whose pipeline was drawn where it runs, as the libraries begin a training."""

    def __init__(self, parts: Mapping[str, Any], settings: Pictures, device: str, dtype: Dtype) -> None:
        from diffusers import DDIMScheduler, StableDiffusionPipeline
        from diffusers.utils import logging

        logging.disable_progress_bar()
        text = CLIPTextConfig(**parts["text_encoder"])
        tokenizer = make_tokenizer([settings.prompt], "t5", text.vocab_size)
        tokenizer.model_max_length = text.max_position_embeddings
        with torch.random.fork_rng([0] if device == "cuda" else []), torch.device(device):
            torch.manual_seed(0)
            modules = {**_diffusion_modules(parts), "text_encoder": CLIPTextModel(text)}
        pipe: Any = StableDiffusionPipeline(
            **{name: _ready(module, DTYPES[dtype]) for name, module in modules.items()},
            tokenizer=tokenizer,
            scheduler=DDIMScheduler(**_SCHEDULE),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipe.set_progress_bar_config(disable=True)
        self._settings, self._pipe = settings, pipe
        self._batches = Batches("pictures", "take a smaller batch")
        self._arguments = call_arguments(pipe, settings)

    def paint_as(self, settings: Pictures) -> None:
        """Paint otherwise from now on."""
        self._settings, self._arguments = settings, call_arguments(self._pipe, settings)


def _diffusion_modules(parts: Mapping[str, Any]) -> dict[str, nn.Module]:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    autoencoder: Any = AutoencoderKL
    denoiser: Any = UNet2DConditionModel
    return {
        "vae": autoencoder.from_config(dict(parts["vae"])),
        "unet": denoiser.from_config(dict(parts["unet"])),
    }


def _ready(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    nn.Module.to(module, dtype)  # diffusers' own would warn of types that none of these parts has
    return module.eval().requires_grad_(False)


def _drawn_by_fan_in(architecture: Any, config: Any, dtype: torch.dtype, device: str) -> Any:
    """Weights of a deviation of one over the root of what a unit reads; norms of one, biases of zero."""
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in architecture(config).named_parameters()}
    weights = {name: partial(_weight, name, shape, dtype, device) for name, shape in shapes.items()}
    return drawn(architecture, config, weights, dtype, device)


def _weight(name: str, shape: torch.Size, dtype: torch.dtype, device: str) -> Tensor:
    if len(shape) == 1:
        fill = torch.zeros if name.endswith("bias") else torch.ones
        return fill(shape, dtype=dtype, device=device)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype, device=device) * shape[1:].numel() ** -0.5
