"""What the denoiser is trained on: latents, scenes and object maps, rendered once and kept on disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from blip_core import strict_json
from blip_core.pocket.backgrounds import PICTURE_PX
from blip_core.pocket.language import describe, read_scene
from blip_core.pocket.painter.vae import LATENT_CHANNELS, LATENT_PX, to_tensor
from blip_core.pocket.precision import fast_precision
from blip_core.pocket.world import PocketScene, Rendered, Split, Style, draw_scene, render

_UPRIGHT_SHARE = 0.75  # crowded as shifted pictures are, but not rotated: fewer shapes to learn
_SHARD = 1000


@dataclass(frozen=True)
class Latents:
    """Memory-mapped training rows of the denoiser.

    Attributes:
        values: float16, (n, 8, 16, 16), means of the autoencoder's posterior, unscaled.
        maps: uint8, (n, 16, 16), object maps at the latents' resolution.
        scenes: what every row shows.
    """

    values: NDArray[np.float16]
    maps: NDArray[np.uint8]
    scenes: list[PocketScene]

    def statistics(self) -> tuple[NDArray[np.float32], float]:
        """Mean per channel, (8,), and one standard deviation around it."""
        sample = self.values[:4000].astype(np.float32)
        mean = sample.mean(axis=(0, 2, 3))
        return mean, float((sample - mean[None, :, None, None]).std())


def make_latents(vae: AutoencoderKL, count: int, folder: Path, seed: int) -> None:
    """Render and encode scenes shard by shard; a shard that exists is kept, so that a killed run goes on.

    Args:
        vae: the trained autoencoder.
        count: rows in all, a multiple of 1,000.
        folder: one `values`, `maps` and `scenes` file a shard.
        seed: names the scenes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vae.eval()
    for shard in range(count // _SHARD):
        if not (folder / f"scenes-{shard:03d}.json").exists():
            _make_shard(vae, folder, shard, seed)


def open_latents(folder: Path) -> Latents:
    """Open every finished shard of a folder."""
    names = sorted(path.stem.split("-")[1] for path in folder.glob("scenes-*.json"))
    values = np.concatenate([np.load(folder / f"values-{name}.npy", mmap_mode="r") for name in names])
    maps = np.concatenate([np.load(folder / f"maps-{name}.npy", mmap_mode="r") for name in names])
    texts = [
        text for name in names for text in strict_json.loads((folder / f"scenes-{name}.json").read_text())
    ]
    scenes = [scene for text in texts if (scene := read_scene(text)) is not None]
    return Latents(values, maps, scenes)


def _make_shard(vae: AutoencoderKL, folder: Path, shard: int, seed: int) -> None:
    rng = np.random.default_rng((seed, shard))
    values = np.empty((_SHARD, LATENT_CHANNELS, LATENT_PX, LATENT_PX), dtype=np.float16)
    maps = np.empty((_SHARD, LATENT_PX, LATENT_PX), dtype=np.uint8)
    texts: list[str] = []
    batch = 50
    for start in range(0, _SHARD, batch):
        drawn = [_draw(rng) for _ in range(batch)]
        rows = slice(start, start + batch)
        values[rows] = _encode(vae, np.stack([one.pixels for _, one in drawn]))
        maps[rows] = np.stack([_at_latents(one.object_map) for _, one in drawn])
        texts.extend(describe(scene) for scene, _ in drawn)
    np.save(folder / f"values-{shard:03d}.npy", values)
    np.save(folder / f"maps-{shard:03d}.npy", maps)
    unfinished = folder / f"scenes-{shard:03d}.json.part"
    unfinished.write_text(strict_json.dumps(texts))
    unfinished.rename(folder / f"scenes-{shard:03d}.json")  # last: it says that the shard is whole


def _draw(rng: np.random.Generator) -> tuple[PocketScene, Rendered]:
    style = Style.GENERIC if rng.random() < _UPRIGHT_SHARE else Style.SHIFTED
    scene = draw_scene(rng, Style.SHIFTED, Split.TRAIN)
    return scene, render(scene, style, rng, degraded=False)


@torch.no_grad()
def _encode(vae: AutoencoderKL, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
    with fast_precision():
        mean = vae.encode(to_tensor(pixels)).latent_dist.mean
    values: NDArray[np.float16] = mean.to(torch.float16).numpy()
    return values


def _at_latents(object_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = PICTURE_PX // LATENT_PX
    return object_map[step // 2 :: step, step // 2 :: step]
