"""Pictures behind our backend, and row by row as the sources have it.

Row by row, a prompt goes through diffusers' own `StableDiffusionPipeline` alone, under the row's seed, so
that both sides can be held against each other picture by picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image

from blip_core.backends.diffusers_painter import DiffusersPainter
from blip_core.pocket import models_dir
from blip_core.ports import row_seed
from blip_core.recipes import load_recipe
from tests.benchmarks.dataset_texts import in_batches
from tests.benchmarks.dataset_work import Work

_STEP = 1  # of 255: what batches of another size may change
_SCENES = (
    "a red mug on a wooden table beside a window",
    "two cats asleep on a sofa",
    "an umbrella that leans on a brick wall",
    "three apples in a bowl",
)


def pictures(rows: int, place: Path) -> Work:
    """Pictures of scenes, as the shipped recipe asks for them."""
    del place  # the bundled model lies elsewhere
    recipe = load_recipe("gallery-vqa", "pocket")
    settings, folder = recipe.pictures, models_dir() / "painter"
    prompts = [f"{_SCENES[row % len(_SCENES)]}, number {row}" for row in range(rows)]
    seeds = [row_seed(recipe.seed, "pictures", row) for row in range(rows)]
    painter = DiffusersPainter(folder, settings)
    pipe = _pipeline(folder)

    def alone(prompt: str, seed: int) -> Image:
        output = pipe(
            prompt,
            width=settings.width_px,
            height=settings.height_px,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            negative_prompt=settings.negative_prompt or None,
            generator=torch.Generator("cpu").manual_seed(seed),
        )
        picture: Image = output.images[0]
        return picture

    return Work(
        rows,
        lambda: in_batches(settings.batch_size, painter.paint, prompts, seeds),
        lambda: [alone(*row) for row in zip(prompts, seeds, strict=True)],
        are_equal,
        f"pictures of {settings.width_px} x {settings.height_px} pixels in {settings.steps} steps by the "
        f"bundled model, {settings.batch_size} at once",
    )


def _pipeline(folder: Path) -> Any:
    from diffusers import StableDiffusionPipeline

    kind: Any = StableDiffusionPipeline
    pipe = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def are_equal(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether pictures differ by no more than what batches of another size may change."""
    if len(some) != len(others):
        return False
    pixels = [[np.asarray(one).astype(int) for one in side] for side in (some, others)]
    return all(np.abs(one - other).max() <= _STEP for one, other in zip(*pixels, strict=True))
