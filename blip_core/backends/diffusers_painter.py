"""A text-to-image pipeline of diffusers behind the port `Painter`."""

from collections.abc import Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.backends.pipelines import check_pipeline_folder, load_pipeline
from blip_core.errors import RecipeError
from blip_core.ports import NoPicture
from blip_core.recipes.checkpoint import Dtype
from blip_core.recipes.pictures import Pictures

_REMEDY = (
    "set pictures.vae_tiling, pictures.attention_slicing, pictures.offload or pictures.quantisation, lower "
    "pictures.width_px and pictures.height_px, or set pictures.model.dtype to float16"
)


class DiffusersPainter:
    """Paints with any pipeline that `AutoPipelineForText2Image` knows and that needs nothing but a prompt.

    Every row's noise comes from a generator of its own on the CPU, so that a picture depends on its prompt
    and seed and not on its neighbours or the device.

    Args:
        folder: folder of the pipeline, safetensors only.
        settings: size, steps, guidance, negative prompt, scheduler and ways to save memory.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely.
        RecipeError: when the pipeline cannot do what the settings ask for.
        StageFailure: when memory does not suffice for the weights.
    """

    def __init__(
        self, folder: Path, settings: Pictures, device: str = "cpu", dtype: Dtype = "float32"
    ) -> None:
        self._settings = settings
        self._batches = Batches("pictures", _REMEDY)
        self._pipe = load_pipeline(check_pipeline_folder(folder), settings, device, dtype)
        self._arguments = call_arguments(self._pipe, settings)

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        """Paint each prompt under its own seed; see `Painter`.

        Raises:
            RecipeError: when the pipeline cannot paint with these settings.
        """
        still_open(self._pipe, self)
        return self._batches.work(self._paint, prompts, seeds)

    def _paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        pipe = still_open(self._pipe, self)
        streams = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        _draw_from(pipe.scheduler, streams)
        arguments = self._arguments | {"prompt": list(prompts), "generator": streams}
        if "negative_prompt" in arguments:
            arguments["negative_prompt"] = [arguments["negative_prompt"]] * len(streams)
        try:
            with np.errstate(invalid="ignore"):  # a safety check turns pixels that are no numbers into bytes
                output = pipe(**arguments, output_type="np")
        except UnboundLocalError as error:
            # SanaPipeline only warns when its decoder finds no memory, and goes on without a picture.
            raise MemoryError from error
        except ValueError as error:
            raise RecipeError(
                f"{type(pipe).__name__} cannot paint with these settings of pictures: {error}"
            ) from error
        flags = getattr(output, "nsfw_content_detected", None) or [False] * len(streams)
        return [
            NoPicture.REFUSED if flag else self._picture(pixels)
            for pixels, flag in zip(output.images, flags, strict=True)
        ]

    def _picture(self, pixels: NDArray[np.float32]) -> Image | NoPicture:
        """A picture of pixels (height, width, 3) from 0 to 1, as the pipeline itself would make it."""
        if not np.isfinite(pixels).all():
            return NoPicture.NO_NUMBERS
        settings = self._settings
        height, width = pixels.shape[:2]
        if (width, height) != (settings.width_px, settings.height_px):
            raise RecipeError(
                f"pictures asks for {settings.width_px} x {settings.height_px} pixels, and "
                f"{type(self._pipe).__name__} makes {width} x {height} of that: take sides that are "
                "multiples of 16 or 32"
            )
        return PIL.Image.fromarray((pixels * 255).round().astype(np.uint8))

    def close(self) -> None:
        """Release the model's memory."""
        if self._pipe is not None:
            self._pipe = None
            release_memory()


def call_arguments(pipe: Any, settings: Pictures) -> dict[str, Any]:
    """What a pipeline is called with besides prompts and generators, by its signature.

    Guidance goes in as each takes it. A denoiser with guidance embedded is told its strength; one that was
    distilled without, and is guided by `true_cfg_scale` if at all, gets it there; all others get
    `guidance_scale`. An empty negative prompt is left out, so that a pipeline's own way of having none holds.

    Raises:
        RecipeError: The settings ask for what the pipeline has not.
    """
    known = signature(pipe.__call__).parameters
    name = type(pipe).__name__
    arguments: dict[str, Any] = {
        "width": settings.width_px,
        "height": settings.height_px,
        "num_inference_steps": settings.steps,
        # Pictures would depend on packages that happen to be installed.
        "clean_caption": False,
        # Else another size is painted and scaled.
        "use_resolution_binning": False,
    }
    is_embedded = _has_embedded_guidance(pipe)
    is_true_guidance = "true_cfg_scale" in known and not is_embedded
    arguments["true_cfg_scale" if is_true_guidance else "guidance_scale"] = settings.guidance_scale
    if settings.negative_prompt or is_true_guidance:
        arguments["negative_prompt"] = settings.negative_prompt or " "
    if settings.negative_prompt and ("negative_prompt" not in known or is_embedded):
        raise RecipeError(
            f"pictures.negative_prompt is set, and this {name} is guided away from nothing; leave it empty"
        )
    if settings.prompt_tokens is not None:
        arguments["max_sequence_length"] = settings.prompt_tokens
        if "max_sequence_length" not in known:
            raise RecipeError(
                f"pictures.prompt_tokens is set, and {name} reads as many tokens as its text encoder was "
                "trained on; leave it out"
            )
    return {argument: value for argument, value in arguments.items() if argument in known}


def _has_embedded_guidance(pipe: Any) -> bool:
    config = getattr(getattr(pipe, "transformer", None), "config", {})
    return bool(config.get("guidance_embeds"))


def _draw_from(scheduler: Any, streams: Sequence[torch.Generator]) -> None:
    """Have a scheduler that draws noise at every step draw each row's from its own stream.

    Some pipelines hand it no generator, and it would draw for all rows from one that nobody seeded.
    """
    step = type(scheduler).step
    if "generator" in signature(step).parameters:
        scheduler.step = partial(step, scheduler, generator=list(streams))
