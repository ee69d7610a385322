"""Training the painter from nothing, part by part, from a seed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPTokenizer

from blip_core.pocket.painter.assembling import assemble_pipeline
from blip_core.pocket.painter.denoiser import Denoiser, DenoiserPart, build_unet
from blip_core.pocket.painter.latents import make_latents, open_latents
from blip_core.pocket.painter.parts import Course, load_trained, train_part
from blip_core.pocket.painter.text import (
    SceneReading,
    TextPart,
    build_text_encoder,
    build_tokenizer,
    picture_prompt,
)
from blip_core.pocket.painter.vae import VaePart, build_vae
from blip_core.pocket.readers import Reader, ReaderPart

log = logging.getLogger(__name__)

_VAE = Course(steps=3000, learning_rate=2e-3, warmup=150, save_every=200)
_TEXT = Course(steps=900, learning_rate=2e-3, save_every=200)
_READER = Course(steps=1200, learning_rate=3e-3, seed=1, save_every=200)
_DENOISER = Course(steps=7000, learning_rate=1e-3, warmup=300, ema_decay=0.999, save_every=200)


@dataclass(frozen=True, slots=True)
class PainterPlan:
    """How long every part is trained, and on how much.

    Attributes:
        vae, text, denoiser, reader: see `Course`.
        scenes: rows of latents for the denoiser, a multiple of 1,000.
        batch: rows a denoiser step.
        seed: of initial weights and scenes.
    """

    vae: Course = _VAE
    text: Course = _TEXT
    reader: Course = _READER
    denoiser: Course = _DENOISER
    scenes: int = 28_000
    batch: int = 32
    seed: int = 0

    def paced(self, pace: float) -> "PainterPlan":
        """This plan with the steps of every part scaled."""

        def scaled(course: Course) -> Course:
            return replace(course, steps=max(1, round(course.steps * pace)))

        thousands = max(1, round(self.scenes * min(pace, 1.0) / 1000))
        return replace(
            self,
            vae=scaled(self.vae),
            text=scaled(self.text),
            reader=scaled(self.reader),
            denoiser=scaled(self.denoiser),
            scenes=1000 * thousands,
        )


def train_painter(plan: PainterPlan, folder: Path, stop: Callable[[], bool] = lambda: False) -> bool:
    """Train what is not trained yet; call again with the same plan and folder to go on after a kill.

    Args:
        plan: see `PainterPlan`.
        folder: receives `vae`, `text`, `latents` and `denoiser`.
        stop: asked before every step and part; True saves and leaves.

    Returns:
        Whether all parts are finished.
    """
    return (
        _train_vae(plan, folder, stop)
        and _train_text(plan, folder, stop)
        and _make_latents(plan, folder)
        and _train_denoiser(plan, folder, stop)
    )


def train_reader(plan: PainterPlan, folder: Path, stop: Callable[[], bool] = lambda: False) -> bool:
    """Train the independent reader, `reader` in `folder`; returns whether it is finished."""
    torch.manual_seed(plan.seed)
    return train_part(ReaderPart(Reader()), plan.reader, folder / "reader", stop)


def load_painter(folder: Path, scheduler: str = "ddim") -> StableDiffusionPipeline:
    """Assemble the pipeline from the newest checkpoints in `folder`, finished or not.

    Raises:
        CheckpointError: a part has no checkpoint.
    """
    vae = build_vae()
    load_trained(folder / "vae", vae)
    tokenizer = build_tokenizer()
    denoiser = Denoiser(build_unet(), build_text_encoder(tokenizer))
    step = load_trained(folder / "denoiser", denoiser)
    log.info("denoiser at step %d", step)
    denoiser.unet.set_default_attn_processor()
    mean, deviation = open_latents(folder / "latents").statistics()
    return assemble_pipeline(vae.eval(), denoiser.eval(), tokenizer, mean, deviation, scheduler)


def _train_vae(plan: PainterPlan, folder: Path, stop: Callable[[], bool]) -> bool:
    torch.manual_seed(plan.seed)
    return train_part(VaePart(build_vae()), plan.vae, folder / "vae", stop)


def _train_text(plan: PainterPlan, folder: Path, stop: Callable[[], bool]) -> bool:
    tokenizer = build_tokenizer()
    reading = _new_reading(plan, tokenizer)
    return train_part(TextPart(reading, tokenizer, picture_prompt()), plan.text, folder / "text", stop)


def _make_latents(plan: PainterPlan, folder: Path) -> bool:
    vae = build_vae()
    load_trained(folder / "vae", vae)
    make_latents(vae, plan.scenes, folder / "latents", plan.seed)
    return True


def _train_denoiser(plan: PainterPlan, folder: Path, stop: Callable[[], bool]) -> bool:
    tokenizer = build_tokenizer()
    reading = _new_reading(plan, tokenizer)
    load_trained(folder / "text", reading)
    torch.manual_seed(plan.seed)
    denoiser = Denoiser(build_unet(), reading.encoder)
    latents = open_latents(folder / "latents")
    part = DenoiserPart(denoiser, tokenizer, picture_prompt(), latents, plan.batch)
    return train_part(part, plan.denoiser, folder / "denoiser", stop)


def _new_reading(plan: PainterPlan, tokenizer: CLIPTokenizer) -> SceneReading:
    torch.manual_seed(plan.seed)
    return SceneReading(build_text_encoder(tokenizer))
