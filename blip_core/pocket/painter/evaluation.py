"""What a painter is judged by: pictures of told scenes, read by an independent reader."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from numpy.typing import NDArray

from blip_core.pocket.language import tell_scene
from blip_core.pocket.painter.text import picture_prompt
from blip_core.pocket.painter.vae import to_tensor
from blip_core.pocket.world import PocketScene, Split, Style, draw_scene, render


@dataclass(frozen=True)
class Commission:
    """Scenes a painter is asked for, the words it is asked with, and the world's own pictures of them."""

    scenes: list[PocketScene]
    texts: list[str]
    pixels: NDArray[np.uint8]


def commission(count: int, seed: int, split: Split = Split.TRAIN) -> Commission:
    """Draw scenes to paint; the composed pictures are shifted in layout and not degraded."""
    rng = np.random.default_rng(seed)
    prompt = picture_prompt()
    scenes = [draw_scene(rng, Style.SHIFTED, split) for _ in range(count)]
    texts = [prompt.replace("{scene}", tell_scene(scene, rng)) for scene in scenes]
    pixels = np.stack([render(scene, Style.SHIFTED, rng, degraded=False).pixels for scene in scenes])
    return Commission(scenes, texts, pixels)


def paint(
    pipeline: StableDiffusionPipeline,
    texts: list[str],
    steps: int,
    guidance: float,
    seed: int,
    batch: int = 32,
) -> NDArray[np.uint8]:
    """Paint texts, one seeded generator a picture; uint8, (n, 64, 64, 3)."""
    pipeline.set_progress_bar_config(disable=True)
    painted = []
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        generators = [torch.Generator().manual_seed(seed + start + index) for index in range(len(part))]
        images = pipeline(
            part, num_inference_steps=steps, guidance_scale=guidance, generator=generators, output_type="np"
        ).images
        painted.append((images * 255.0).round().astype(np.uint8))
    return np.concatenate(painted)


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, pixels: NDArray[np.uint8], batch: int = 32) -> NDArray[np.uint8]:
    """Encode and decode pictures; uint8, (n, 64, 64, 3)."""
    vae.eval()
    parts = []
    for start in range(0, len(pixels), batch):
        mean = vae.encode(to_tensor(pixels[start : start + batch])).latent_dist.mean
        decoded = vae.decode(mean).sample.clamp(-1, 1).add(1).mul(127.5).round()
        parts.append(decoded.permute(0, 2, 3, 1).to(torch.uint8).numpy())
    return np.concatenate(parts)
