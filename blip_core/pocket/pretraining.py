"""Resumable training parts of the pocket family.

A part trains one module for a fixed number of steps. Whatever a step needs is drawn from its seed
and its number, so a part that is killed at any moment resumes from its last state and ends with the
same weights as one that was not. States are safetensors with the step in their metadata: one file,
published by one rename.
"""

import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from blip_core.finite import check_finite

STATE_NAME = "state.safetensors"
_STEP_KEY = "step"
_GRADIENT_CLIP = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a part is trained.

    Attributes:
        steps: optimiser steps in all.
        peak_lr: highest learning rate, reached after `warmup` steps; falls to zero along a cosine.
        warmup: steps of linear rise.
        weight_decay: AdamW weight decay.
        beta2: AdamW second-moment decay; short runs want it lower than the usual 0.999.
        log_every: steps between log lines.
        save_every: steps between states.
        seed: root of every draw.
    """

    steps: int
    peak_lr: float
    warmup: int = 100
    weight_decay: float = 0.01
    beta2: float = 0.98
    log_every: int = 100
    save_every: int = 300
    seed: int = 0


def paced(plan: Plan, pace: float) -> Plan:
    """A plan with its steps scaled."""
    return replace(plan, steps=max(1, round(plan.steps * pace)))


LossAt = Callable[[int], Tensor]
Report = Callable[[str], None]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def step_rng(seed: int, step: int) -> np.random.Generator:
    """Randomness of one step, the same whether or not the part was resumed before it."""
    return np.random.default_rng((seed, step))


def parameter_groups(
    model: nn.Module, scale_of: Callable[[str], float] = lambda name: 1.0
) -> list[dict[str, object]]:
    """Trainable parameters in one group per learning-rate scale, in a stable order."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(scale_of(name), []).append(parameter)
    return [{"params": groups[scale], "scale": scale} for scale in sorted(groups)]


def learning_rate(plan: Plan, step: int) -> float:
    if step < plan.warmup:
        return plan.peak_lr * (step + 1) / plan.warmup
    share = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.peak_lr * 0.5 * (1.0 + math.cos(math.pi * share))


def train_part(
    folder: Path,
    model: nn.Module,
    loss_at: LossAt,
    plan: Plan,
    groups: list[dict[str, object]] | None = None,
    report: Report = say,
    on_save: Callable[[int], None] | None = None,
) -> None:
    """Train `model` in place, resuming from the state in `folder` if there is one.

    Args:
        folder: where the state is kept.
        model: float32 module; only parameters that require gradients are trained.
        loss_at: loss of a step, a scalar; must draw its batch from the step's number alone.
        plan: see `Plan`.
        groups: parameter groups with a learning-rate `scale`; one group by default.
        report: takes log lines.
        on_save: called after every state, for evaluations and interim checkpoints.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = groups or parameter_groups(model)
    optimiser = torch.optim.AdamW(
        groups, lr=plan.peak_lr, betas=(0.9, plan.beta2), weight_decay=plan.weight_decay
    )
    start = load_state(folder / STATE_NAME, model, optimiser)
    losses: list[float] = []
    began = time.monotonic()
    for step in range(start, plan.steps):
        losses.append(_take_step(model, optimiser, loss_at, plan, step))
        done = step + 1
        if done % plan.log_every == 0 or done == plan.steps:
            seconds = (time.monotonic() - began) / (done - start)
            report(f"{folder.name} step {done}/{plan.steps} loss {np.mean(losses):.4f} {seconds:.3f} s/step")
            losses.clear()
        if done % plan.save_every == 0 or done == plan.steps:
            save_state(folder / STATE_NAME, model, optimiser, done)
            if on_save:
                on_save(done)


def _take_step(
    model: nn.Module, optimiser: torch.optim.Optimizer, loss_at: LossAt, plan: Plan, step: int
) -> float:
    torch.manual_seed(plan.seed * 1_000_003 + step)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(plan, step) * group["scale"]
    loss = loss_at(step)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], _GRADIENT_CLIP)
    taken = float(loss.detach())
    check_finite(f"step {step + 1}", {"loss": taken, "gradient norm": float(norm)})
    optimiser.step()
    return taken


def save_state(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
    tensors = {f"model.{name}": value for name, value in _unshared(model)}
    for name, parameter in _trained(model):
        moments = optimiser.state.get(parameter)
        if moments:
            tensors[f"mean.{name}"] = moments["exp_avg"]
            tensors[f"square.{name}"] = moments["exp_avg_sq"]
    publish_tensors(path, tensors, {_STEP_KEY: str(step)})


def load_state(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer | None = None) -> int:
    """Load a state into a model, and into an optimiser where one is given.

    Returns:
        The number of steps that the state has behind it; 0 where there is no state.
    """
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as state:
        step = int(state.metadata()[_STEP_KEY])
        names = set(state.keys())
        weights = {n.removeprefix("model."): state.get_tensor(n) for n in names if n.startswith("model.")}
        _check_fit(path, weights, model)
        model.load_state_dict(weights, strict=False)
        if optimiser is None:
            return step
        for name, parameter in _trained(model):
            if f"mean.{name}" not in names:
                continue
            optimiser.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": state.get_tensor(f"mean.{name}"),
                "exp_avg_sq": state.get_tensor(f"square.{name}"),
            }
    return step


def publish_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, partial, metadata)
    partial.replace(path)


def publish_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a checkpoint beside `folder` and swap it in by renames."""
    partial, old = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".old")
    for leftover in (partial, old):
        _remove(leftover)
    partial.mkdir(parents=True)
    write(partial)
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    _remove(old)


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def _check_fit(path: Path, weights: dict[str, Tensor], model: nn.Module) -> None:
    held = {name: tuple(value.shape) for name, value in weights.items()}
    wanted = {name: tuple(value.shape) for name, value in _unshared(model)}
    differing = sorted(name for name in held.keys() | wanted.keys() if held.get(name) != wanted.get(name))
    if differing:
        raise ValueError(
            f"{path} belongs to another module: {', '.join(differing[:3])} differ; delete it to train anew"
        )


def _unshared(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """State entries, tied weights once."""
    seen: set[int] = set()
    for name, value in model.state_dict(keep_vars=True).items():
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield name, value


def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
