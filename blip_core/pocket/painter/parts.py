"""Training in resumable parts: killed at any moment, a part goes on from its last checkpoint.

Everything random is drawn from (seed, step), so a checkpoint holds no generator state and a resumed
part ends with the weights of an undisturbed one. Checkpoints are safetensors and JSON, written to a
temporary folder and renamed.
"""

import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from blip_core import strict_json
from blip_core.errors import CheckpointError
from blip_core.finite import check_finite

log = logging.getLogger(__name__)

_MAX_GRAD_NORM = 1.0
_BETAS = (0.9, 0.99)  # short second moment: parts are a few thousand steps long


@dataclass(frozen=True, slots=True)
class Course:
    """How a part is trained.

    Attributes:
        steps: optimizer steps in all; the learning rate falls to zero at the last.
        learning_rate: peak, reached after `warmup` steps.
        weight_decay: of AdamW, on matrices and kernels.
        ema_decay: decay of the averaged weights; 0 keeps no average.
        seed: names the data and the noise of every step.
        log_every: steps between log lines.
        save_every: steps between checkpoints.
    """

    steps: int
    learning_rate: float
    warmup: int = 100
    weight_decay: float = 0.01
    ema_decay: float = 0.0
    seed: int = 0
    log_every: int = 50
    save_every: int = 250


class Part(Protocol):
    """What the loop needs to know about the thing it trains."""

    @property
    def module(self) -> nn.Module: ...

    @property
    def batch(self) -> int: ...

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Loss of one step on data and noise drawn from `rng`, and what the log should say about it."""
        ...


def train_part(part: Part, course: Course, folder: Path, stop: Callable[[], bool] = lambda: False) -> bool:
    """Train a part to its end, from its newest checkpoint in `folder` if there is one.

    Args:
        part: what is trained; its module is changed in place.
        course: see `Course`.
        folder: holds `checkpoint/` and `log.jsonl`.
        stop: asked before every step; True saves and leaves.

    Returns:
        Whether the part is finished.

    Raises:
        CheckpointError: the checkpoint belongs to a part with other weights or another seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimizer = _optimizer(part.module, course)
    average = _copy_weights(part.module) if course.ema_decay else {}
    step = _resume(folder / "checkpoint", part.module, optimizer, average, course.seed)
    meter = _Meter(folder / "log.jsonl", part.batch)
    part.module.train()
    while step < course.steps and not stop():
        facts = _one_step(part, optimizer, course, step)
        step += 1
        _average(average, part.module, min(course.ema_decay, step / (step + 10)))
        meter.add(facts)
        if step % course.log_every == 0 or step == course.steps:
            meter.report(step, optimizer.param_groups[0]["lr"])
        if step % course.save_every == 0 and step < course.steps:
            _save(folder / "checkpoint", part.module, optimizer, average, step, course.seed)
    _save(folder / "checkpoint", part.module, optimizer, average, step, course.seed)
    return step >= course.steps


def load_trained(folder: Path, module: nn.Module) -> int:
    """Load the newest weights of a part, averaged ones where they exist; returns their step.

    Raises:
        CheckpointError: there is no checkpoint in `folder`.
    """
    checkpoint = folder / "checkpoint"
    _mend(checkpoint)
    if not (checkpoint / "state.json").exists():
        raise CheckpointError(f"{folder} holds no checkpoint; train this part of the painter first.")
    averaged = checkpoint / "average.safetensors"
    source = averaged if averaged.exists() else checkpoint / "weights.safetensors"
    module.load_state_dict(load_file(source))
    return int(strict_json.loads((checkpoint / "state.json").read_text())["step"])


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A torch generator that follows from a numpy one."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _one_step(part: Part, optimizer: torch.optim.Optimizer, course: Course, step: int) -> dict[str, float]:
    for group in optimizer.param_groups:
        group["lr"] = course.learning_rate * _schedule(step, course)
    rng = np.random.default_rng((course.seed, step))
    loss, facts = part.loss(rng)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(part.module.parameters(), _MAX_GRAD_NORM)
    taken = {"loss": float(loss.detach()), "gradient_norm": float(norm), **facts}
    check_finite(f"step {step + 1}", taken)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return taken


def _schedule(step: int, course: Course) -> float:
    if step < course.warmup:
        return (step + 1) / course.warmup
    share = (step - course.warmup) / max(1, course.steps - course.warmup)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))


def _optimizer(module: nn.Module, course: Course) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": course.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=course.learning_rate, betas=_BETAS, fused=True)


def _copy_weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@torch.no_grad()
def _average(average: dict[str, Tensor], module: nn.Module, decay: float) -> None:
    if not average:
        return
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor, 1.0 - decay)


def _resume(
    checkpoint: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    seed: int,
) -> int:
    _mend(checkpoint)
    if not checkpoint.exists():
        return 0
    state = strict_json.loads((checkpoint / "state.json").read_text())
    weights = load_file(checkpoint / "weights.safetensors")
    own = {name: tensor.shape for name, tensor in module.state_dict().items()}
    if state["seed"] != seed or {name: tensor.shape for name, tensor in weights.items()} != own:
        raise CheckpointError(
            f"{checkpoint} was written by another configuration or seed ({state['seed']}, not {seed}); "
            "delete it to train anew, or restore the configuration."
        )
    module.load_state_dict(weights)
    _load_optimizer(optimizer, load_file(checkpoint / "optimizer.safetensors"))
    if average:
        average.update(load_file(checkpoint / "average.safetensors"))
    return int(state["step"])


def _save(
    checkpoint: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    step: int,
    seed: int,
) -> None:
    fresh = checkpoint.with_name(f"{checkpoint.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(_copy_weights(module), fresh / "weights.safetensors")
    save_file(_flat_optimizer(optimizer), fresh / "optimizer.safetensors")
    if average:
        save_file(average, fresh / "average.safetensors")
    (fresh / "state.json").write_text(strict_json.dumps({"step": step, "seed": seed}))
    replace_folder(fresh, checkpoint)


def replace_folder(fresh: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one; `_mend` undoes a kill between the two renames."""
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _mend(target: Path) -> None:
    old = target.with_name(f"{target.name}.old")
    if old.exists() and not target.exists():
        old.rename(target)


def _flat_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": tensor.clone() for index, entry in state.items() for key, tensor in entry.items()
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


class _Meter:
    """Averages what steps report, and writes one JSON line and one log line at a time."""

    def __init__(self, path: Path, batch: int) -> None:
        self._path = path
        self._batch = batch
        self._facts: list[dict[str, float]] = []
        self._since = time.monotonic()

    def add(self, facts: dict[str, float]) -> None:
        self._facts.append(facts)

    def report(self, step: int, learning_rate: float) -> None:
        seconds = time.monotonic() - self._since
        names = sorted({name for facts in self._facts for name in facts})
        means = {
            name: round(float(np.mean([facts[name] for facts in self._facts if name in facts])), 5)
            for name in names
        }
        rate = round(len(self._facts) * self._batch / seconds, 1)
        row = {"step": step, "learning_rate": round(learning_rate, 7), "samples_per_s": rate, **means}
        with self._path.open("a") as stream:
            stream.write(strict_json.dumps(row) + "\n")
        log.info("%s", " ".join(f"{name}={value}" for name, value in row.items()))
        self._facts, self._since = [], time.monotonic()
