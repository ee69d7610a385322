"""Stable Diffusion behind the port `Painter`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from blip_core.backends.loading import DTYPES, loading
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.errors import CheckpointError
from blip_core.modeling.checkpoints import check_safetensors, read_json, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.ports import NoPicture
from blip_core.recipes.checkpoint import Dtype
from blip_core.recipes.pictures import Pictures

PIPELINE = "StableDiffusionPipeline"
_REMEDY = "lower pictures.width_px and pictures.height_px, or set pictures.model.dtype to float16"
_WEIGHTED = ("unet", "vae", "text_encoder", "safety_checker")
_LIBRARIES = {
    "diffusers",
    "transformers",
    "stable_diffusion",
}  # anything else names a file of the checkpoint's


class DiffusersPainter:
    """Paints with a Stable Diffusion pipeline.

    Every row's noise comes from a generator of its own on the CPU, so that a picture depends on its prompt
    and seed and not on its neighbours or the device.

    Args:
        folder: folder of the pipeline, safetensors only.
        settings: size, steps, guidance and negative prompt.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely.
    """

    def __init__(
        self, folder: Path, settings: Pictures, device: str = "cpu", dtype: Dtype = "float32"
    ) -> None:
        components = check_pipeline_folder(folder)
        for name in components.intersection(_WEIGHTED):
            check_weights(weight_files(folder / name), f"the checkpoint in {folder / name}", FETCH_AGAIN)
        self._settings = settings
        self._batches = Batches("pictures", _REMEDY)
        pipe = _load(folder, DTYPES[dtype], has_safety_checker="safety_checker" in components)
        with loading(folder, "a Stable Diffusion pipeline"):
            self._pipe = pipe.to(torch.device(device))

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        """Paint each prompt under its own seed; see `Painter`."""
        still_open(self._pipe, self)
        return self._batches.work(self._paint, prompts, seeds)

    def _paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        pipe = still_open(self._pipe, self)
        streams = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with np.errstate(invalid="ignore"):  # a safety check turns pixels that are no numbers into bytes
            output = pipe(
                prompt=list(prompts),
                negative_prompt=[self._settings.negative_prompt] * len(streams),
                width=self._settings.width_px,
                height=self._settings.height_px,
                num_inference_steps=self._settings.steps,
                guidance_scale=self._settings.guidance_scale,
                generator=streams,
                output_type="np",
            )
        flags = output.nsfw_content_detected or [False] * len(streams)
        return [
            NoPicture.REFUSED if flag else self._picture(pixels)
            for pixels, flag in zip(output.images, flags, strict=True)
        ]

    def _picture(self, pixels: NDArray[np.float32]) -> Image | NoPicture:
        """A picture of pixels (height, width, 3) from 0 to 1, as the pipeline itself would make it."""
        if not np.isfinite(pixels).all():
            return NoPicture.NO_NUMBERS
        (picture,) = self._pipe.image_processor.numpy_to_pil(pixels)
        return cast(Image, picture)

    def close(self) -> None:
        """Release the model's memory."""
        if self._pipe is not None:
            self._pipe = None
            release_memory()


def _load(folder: Path, dtype: torch.dtype, has_safety_checker: bool) -> Any:
    with loading(folder, "a Stable Diffusion pipeline"):
        # Imported here because its import advises on other packages, too.
        from diffusers import StableDiffusionPipeline
        from diffusers.utils import logging

        logging.disable_progress_bar()
        pipeline: Any = StableDiffusionPipeline
        pipe = pipeline.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            requires_safety_checker=has_safety_checker,
        )
    logging.set_verbosity_error()  # else every prompt whose tail the text encoder cuts off prints a line
    pipe.set_progress_bar_config(disable=True)
    return pipe


def check_pipeline_folder(folder: Path) -> set[str]:
    """Refuse a pipeline folder that cannot be loaded, or not safely.

    Returns:
        Names of the pipeline's components.

    Raises:
        CheckpointError: no readable index, another pipeline, a component with code of its own, or a component
            without whole safetensors weights.
    """
    index = read_json(folder / "model_index.json", "Stable Diffusion")
    if index.get("_class_name") != PIPELINE:
        raise CheckpointError(f"{folder} holds a {index.get('_class_name')}; allowed here: {PIPELINE}")
    components = {
        name: entry[0]
        for name, entry in index.items()
        if isinstance(entry, list) and entry and entry[0] is not None
    }
    foreign = sorted(name for name, library in components.items() if library not in _LIBRARIES)
    if foreign:
        raise CheckpointError(
            f"{folder} asks for code of its own ({', '.join(foreign)}), which is never run; "
            "choose a pipeline whose parts diffusers knows"
        )
    for name in _WEIGHTED:
        if name in components:
            _check_weights(folder / name)
    return set(components)


def _check_weights(folder: Path) -> None:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        seen = (
            f"only pickled weights ({', '.join(pickled)}), which are never read" if pickled else "no weights"
        )
        raise CheckpointError(f"{folder} holds {seen}; it needs *.safetensors")
    for path in weights:
        check_safetensors(path)
