"""Training of the language and vision members of the pocket family, part by part, from fixed seeds.

Every part resumes where it was killed. The whole takes some two hours of one core; `pace` below 1 shortens
every part, for trials. The members of `siblings` start from the shipped ones, not from this build's.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from blip_core.pocket import siblings
from blip_core.pocket.blip2 import Mix, new_blip2, publish_blip2, train_blip2_opt, train_blip2_t5
from blip_core.pocket.labeller import TAUGHT_KINDS, new_llama, new_llava, publish_llava, train_llava
from blip_core.pocket.labeller import train_text as train_llama
from blip_core.pocket.pretraining import Plan
from blip_core.pocket.text import train_text as train_t5
from blip_core.pocket.tokenizers import (
    build_tokenizer,
    chat_tokenizer,
    llava_tokenizer,
    opt_tokenizer,
    seq2seq_tokenizer,
)
from blip_core.pocket.vision import Diet, SupervisedTower, as_clip, train_tower
from blip_core.pocket.writer import new_writer, publish_writer, train_writer

FINAL = "final"

TOWER_DIET = Diet()
LABELLER_DIET = Diet(shifted_share=0.6, group_weights=(0.34, 0.33, 0.33))
T5_MIXES = {
    "blip2-t5-first": Mix(group_weights=(0.94, 0.06)),
    "blip2-t5-second": Mix(group_weights=(0.8, 0.2)),
    "blip2-t5-third": Mix(group_weights=(0.75, 0.25)),
}
# The third part answers better and leaves less to learn; the family ships the mean of the last two.
T5_THIRD_SHARE = 0.4
OPT_MIX = Mix(group_weights=(0.85, 0.15))

PLANS = {
    "tower": Plan(steps=3000, peak_lr=1.5e-3, warmup=150, seed=1, save_every=500),
    "clip-tower": Plan(steps=1800, peak_lr=8e-4, warmup=60, seed=2, save_every=500),
    "t5-text": Plan(steps=2000, peak_lr=1.5e-3, warmup=80, seed=3, save_every=300),
    "blip2-t5-first": Plan(steps=1350, peak_lr=1.2e-3, warmup=100, seed=5, save_every=400),
    "blip2-t5-second": Plan(steps=260, peak_lr=9e-4, warmup=20, seed=15, save_every=400),
    "blip2-t5-third": Plan(steps=300, peak_lr=1e-3, warmup=20, seed=25, save_every=400),
    "blip2-opt": Plan(steps=700, peak_lr=1.5e-3, warmup=80, seed=6, save_every=400),
    "llama-text": Plan(steps=2400, peak_lr=2e-3, warmup=100, seed=7, save_every=300),
    "llava": Plan(steps=6000, peak_lr=1.3e-3, warmup=100, seed=8, save_every=400),
    "writer": Plan(steps=900, peak_lr=4e-3, warmup=60, seed=9, save_every=1000),
}


def paced(name: str, pace: float) -> Plan:
    """A part's plan with its steps scaled."""
    plan = PLANS[name]
    return replace(plan, steps=max(1, round(plan.steps * pace)))


def train_family(build: Path, pace: float = 1.0) -> None:
    """Train every member into `build`/<member>; finished checkpoints lie in `build`/<member>/final."""
    for train_member in TRAINERS.values():
        train_member(build, pace)


def trained_tower(build: Path, pace: float = 1.0) -> SupervisedTower:
    """The tower of both BLIP-2; it saw generic pictures only."""
    return train_tower(build / "tower", TOWER_DIET, paced("tower", pace))


def train_writer_member(build: Path, pace: float = 1.0) -> None:
    tokenizer = chat_tokenizer(build_tokenizer())
    model = new_writer(tokenizer, PLANS["writer"].seed)
    train_writer(build / "writer", model, tokenizer, paced("writer", pace))
    publish_writer(build / "writer" / FINAL, model, tokenizer)


def train_t5_member(build: Path, pace: float = 1.0) -> None:
    tokenizer = seq2seq_tokenizer(build_tokenizer())
    tower = trained_tower(build, pace).tower
    text = train_t5(build / "t5-text", tokenizer, paced("t5-text", pace))
    model = new_blip2(tokenizer, tower, text, PLANS["blip2-t5-first"].seed)
    before: dict[str, Tensor] = {}
    for part, mix in T5_MIXES.items():
        before = {name: value.clone() for name, value in model.state_dict().items()}
        train_blip2_t5(build / part, model, tokenizer, paced(part, pace), mix)
    model.load_state_dict(mean_weights(before, model.state_dict(), T5_THIRD_SHARE))
    publish_blip2(build / "blip2-t5" / FINAL, model, tokenizer)


def mean_weights(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between two states of one model; `share` is the second's."""
    return {name: torch.lerp(value, second[name], share) for name, value in first.items()}


def train_opt_member(build: Path, pace: float = 1.0) -> None:
    tokenizer = opt_tokenizer(build_tokenizer())
    model = new_blip2(tokenizer, trained_tower(build, pace).tower, None, PLANS["blip2-opt"].seed)
    train_blip2_opt(build / "blip2-opt", model, tokenizer, paced("blip2-opt", pace), OPT_MIX)
    publish_blip2(build / "blip2-opt" / FINAL, model, tokenizer)


def train_llava_member(build: Path, pace: float = 1.0) -> None:
    tokenizer = llava_tokenizer(build_tokenizer())
    start = as_clip(trained_tower(build, pace))
    tower = train_tower(
        build / "clip-tower", LABELLER_DIET, paced("clip-tower", pace), start_from=start
    ).tower
    text = new_llama(tokenizer, PLANS["llama-text"].seed)
    train_llama(build / "llama-text", text, tokenizer, paced("llama-text", pace), TAUGHT_KINDS)
    model = new_llava(tokenizer, tower, text, PLANS["llava"].seed)
    train_llava(build / "llava", model, tokenizer, paced("llava", pace), TAUGHT_KINDS)
    publish_llava(build / "llava" / FINAL, model, tokenizer)


TRAINERS: dict[str, Callable[[Path, float], None]] = {
    "writer": train_writer_member,
    "blip2-t5": train_t5_member,
    "blip2-opt": train_opt_member,
    "llava": train_llava_member,
} | siblings.TRAINERS
