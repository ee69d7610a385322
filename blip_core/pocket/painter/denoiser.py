"""The painter's denoiser: a small conditional UNet on latents, trained together with the text encoder.

v-prediction (Salimans and Ho, 2022) on a cosine schedule. Errors at low noise are weighted down as in
min-SNR (Hang et al., 2023); those at high noise, where the text decides, are left alone. A map head on
the decoder's first block names the object at every latent while training: it ties words to places
early, and is left out of the shipped weights.
"""

from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from blip_core.pocket.painter.latents import Latents
from blip_core.pocket.painter.parts import torch_generator
from blip_core.pocket.painter.text import TEXT_WIDTH, encode_texts, tell_painter
from blip_core.pocket.painter.vae import LATENT_CHANNELS, LATENT_PX
from blip_core.pocket.precision import fast_precision
from blip_core.pocket.world import OBJECT_NAMES

TRAIN_TIMESTEPS = 1000
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": TRAIN_TIMESTEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "steps_offset": 1,  # what diffusers asks for; without effect on trailing timesteps
}
_CHANNELS = (56, 112)
_HEADS = 4
_NORM_GROUPS = 8
_UNCONDITIONAL_ONE_IN = 10
_MAX_SNR = 5.0  # signal-to-noise ratio above which a timestep no longer gains weight
_OBJECT_WEIGHT = 1.5  # added to the weight of latents under an object
_MAP_WEIGHT = 0.05


def build_unet() -> UNet2DConditionModel:
    """Build an untrained UNet: convolutions at 16 x 16, attention to itself and to the text at 8 x 8."""
    return UNet2DConditionModel(
        sample_size=LATENT_PX,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type=None,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=_HEADS,  # diffusers means the number of heads
        norm_num_groups=_NORM_GROUPS,
    )


class Denoiser(nn.Module):
    """UNet and text encoder, with the map head that only training uses."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder
        self.map_head = nn.Conv2d(_CHANNELS[1], len(OBJECT_NAMES) + 1, 1)
        self._inner: list[Tensor] = []
        # Fused attention is slow backwards in bfloat16 on CPUs; a third of a step.
        unet.set_attn_processor(AttnProcessor())
        unet.up_blocks[0].register_forward_hook(lambda _module, _inputs, output: self._inner.append(output))

    def forward(self, noisy: Tensor, timesteps: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the predicted v, (n, 8, 16, 16), and map logits, (n, 33, 16, 16)."""
        self._inner.clear()
        states = self.text_encoder(ids).last_hidden_state
        predicted = self.unet(noisy, timesteps, states).sample
        return predicted, self.map_head(self._inner.pop())


class DenoiserPart:
    """Denoiser training on prepared latents."""

    def __init__(
        self, module: Denoiser, tokenizer: CLIPTokenizer, prompt: str, latents: Latents, batch: int = 32
    ) -> None:
        self.module = module
        self.batch = batch
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._latents = latents
        mean, self._deviation = latents.statistics()
        self._mean = torch.from_numpy(mean)[None, :, None, None]
        self._alphas = DDPMScheduler(**SCHEDULE).alphas_cumprod

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        noise = torch_generator(rng)
        rows = rng.integers(len(self._latents.scenes), size=self.batch)
        texts = [self._text(int(row), rng) for row in rows]
        clean = (
            torch.from_numpy(self._latents.values[rows].astype(np.float32)) - self._mean
        ) / self._deviation
        maps = torch.from_numpy(self._latents.maps[rows].astype(np.int64))
        timesteps = self._stratified(noise)
        alpha = self._alphas[timesteps][:, None, None, None]
        random = torch.randn(clean.shape, generator=noise)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * random
        target = alpha.sqrt() * random - (1 - alpha).sqrt() * clean
        with fast_precision():
            predicted, named = self.module(noisy, timesteps, encode_texts(self._tokenizer, texts))
        error = (predicted.float() - target).square()
        pixel_weight = 1.0 + _OBJECT_WEIGHT * (maps > 0)[:, None].float()
        ratio = alpha / (1 - alpha).clamp(min=1e-8)
        weight = pixel_weight * (ratio.clamp(max=_MAX_SNR) + 1) / (ratio + 1)
        denoising = (weight * error).mean()
        naming = functional.cross_entropy(named.float(), maps)
        facts = {
            "v": float(error.detach().mean()),
            "denoising": float(denoising.detach()),
            "map": float(naming.detach()),
        }
        return denoising + _MAP_WEIGHT * naming, facts

    def _text(self, row: int, rng: np.random.Generator) -> str:
        if rng.integers(_UNCONDITIONAL_ONE_IN) == 0:
            return ""
        return tell_painter(self._latents.scenes[row], self._prompt, rng)

    def _stratified(self, noise: torch.Generator) -> Tensor:
        """Timesteps spread evenly over the batch: the same mean as uniform draws, and less variance."""
        share = (torch.arange(self.batch) + torch.rand(self.batch, generator=noise)) / self.batch
        return (share * TRAIN_TIMESTEPS).long().clamp(max=TRAIN_TIMESTEPS - 1)
