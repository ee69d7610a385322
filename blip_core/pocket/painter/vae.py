"""The painter's autoencoder: pictures of 64 px to latents of 16 x 16 x 8 and back."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from blip_core.pocket.backgrounds import PICTURE_PX
from blip_core.pocket.painter.parts import torch_generator
from blip_core.pocket.precision import fast_precision
from blip_core.pocket.world import Rendered, Split, Style, draw_scene, render

LATENT_CHANNELS = 8
LATENT_PX = PICTURE_PX // 4
_CHANNELS = (32, 64, 96)
_KL_WEIGHT = 1e-3  # of the mean over latents; low, as latents only have to stay near unit scale
_OBJECT_WEIGHT = 2.0  # added to the weight of pixels that show an object
_MSE_WEIGHT = 2.0
_EDGE_WEIGHT = 1.0

# Share of pictures by (style, degraded): grain costs an autoencoder capacity, so it is a minority.
DATA_MIX: tuple[tuple[float, Style, bool], ...] = (
    (0.65, Style.SHIFTED, False),
    (0.15, Style.SHIFTED, True),
    (0.20, Style.GENERIC, False),
)


def build_vae() -> AutoencoderKL:
    """Build an untrained autoencoder; attention in its middle would cost a quarter of every step."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=_CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * len(_CHANNELS),
        up_block_types=("UpDecoderBlock2D",) * len(_CHANNELS),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=PICTURE_PX,
        mid_block_add_attention=False,
    )


@dataclass(frozen=True)
class VaePart:
    """Autoencoder training: weighted L1, squared error and edges, and a little KL."""

    module: nn.Module
    batch: int = 12

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        noise = torch_generator(rng)
        pictures, weights = training_pictures(self.batch, rng)
        with fast_precision():
            posterior = self.module.encode(pictures).latent_dist  # type: ignore[operator]
            decoded = self.module.decode(posterior.sample(noise)).sample  # type: ignore[operator]
        decoded = decoded.float()
        error = decoded - pictures
        edges = (_edges(decoded) - _edges(pictures)).abs().mean()
        kl = posterior.kl().float().mean() / (LATENT_CHANNELS * LATENT_PX**2)
        square = (weights * error.square()).mean()
        loss = (weights * error.abs()).mean() + _MSE_WEIGHT * square + _EDGE_WEIGHT * edges + _KL_WEIGHT * kl
        objects = weights > 1.0
        facts = {
            "psnr": psnr(error.detach()),
            "psnr_objects": psnr(error.detach()[objects.expand_as(error)]),
            "kl": float(kl.detach()),
        }
        return loss, facts


def training_pictures(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Render training pictures.

    Returns:
        Pictures in -1..1, (count, 3, 64, 64), and pixel weights, (count, 1, 64, 64), larger on objects.
    """
    rendered = [_draw(rng) for _ in range(count)]
    pictures = to_tensor(np.stack([one.pixels for one in rendered]))
    objects = torch.from_numpy(np.stack([one.object_map for one in rendered]) > 0)
    return pictures, 1.0 + _OBJECT_WEIGHT * objects[:, None].float()


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (n, 64, 64, 3) to float32 (n, 3, 64, 64) in -1..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def psnr(error: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of an error between pictures in -1..1."""
    return float(-10.0 * torch.log10(error.square().mean() / 4.0))


def _draw(rng: np.random.Generator) -> Rendered:
    shares = np.asarray([share for share, _, _ in DATA_MIX])
    _, style, degraded = DATA_MIX[int(rng.choice(len(DATA_MIX), p=shares / shares.sum()))]
    return render(draw_scene(rng, style, Split.TRAIN), style, rng, degraded)


def _edges(pictures: Tensor) -> Tensor:
    right = functional.pad(pictures[..., :, 1:] - pictures[..., :, :-1], (0, 1))
    down = functional.pad(pictures[..., 1:, :] - pictures[..., :-1, :], (0, 0, 0, 1))
    return torch.cat([right, down], dim=1)
