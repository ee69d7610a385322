"""What is watched while training: metrics, validation, the best adapter, whether anything moves at all."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from blip_core.errors import TrainingFailure
from blip_core.modeling.adapters import adapter_state
from blip_core.modeling.loading import Blip2Bundle
from blip_core.training.learner import Batch, Learner

OnStep = Callable[[int, Mapping[str, float]], None]

_STEPS_TO_MOVE = 3  # the first step of a warm-up has a learning rate of 0


class Watch(TrainerCallback):
    """Follows a training step by step.

    Attributes:
        curve: metrics of every step, with `step`; the first row is the validation before training.
        best_loss: lowest validation loss after a step; None where there is nothing to validate on.
        best_step: the step it belongs to.
    """

    def __init__(
        self,
        bundle: Blip2Bundle,
        learner: Learner,
        validation: Sequence[Batch],
        every_steps: int,
        on_step: OnStep,
    ) -> None:
        self._bundle = bundle
        self._learner = learner
        self._validation = validation
        self._every_steps = every_steps
        self._on_step = on_step
        self._initial = adapter_state(bundle)
        self.curve: list[dict[str, float]] = []
        self.best_loss: float | None = None
        self.best_step = 0
        self.best_state: dict[str, Tensor] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._validation:
            self._report(0, self._learner.validate(self._validation))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """The Trainer logs after every step, and once more, without `loss`, at the end."""
        if not logs or "loss" not in logs:
            return
        step = state.global_step
        _check_finite(step, logs)
        if step == min(_STEPS_TO_MOVE, state.max_steps):
            self._check_moved(step)
        metrics = {name: float(logs[name]) for name in ("loss", "learning_rate", "grad_norm")}
        if self._validation and (step % self._every_steps == 0 or step == state.max_steps):
            metrics |= self._validate(step)
        self._report(step, metrics)

    def _validate(self, step: int) -> dict[str, float]:
        metrics = self._learner.validate(self._validation)
        loss = metrics["validation_loss"]
        if self.best_loss is None or loss < self.best_loss:
            self.best_loss, self.best_step, self.best_state = loss, step, adapter_state(self._bundle)
        return metrics

    def _check_moved(self, step: int) -> None:
        now = adapter_state(self._bundle)
        if any(not torch.equal(now[name], before) for name, before in self._initial.items()):
            return
        raise TrainingFailure(
            f"no weight of the adapter moved in {step} steps: no gradient reaches it; "
            "check finetune.adapter and finetune.learning_rate"
        )

    def _report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.curve.append({"step": step, **metrics})
        self._on_step(step, metrics)


def _check_finite(step: int, logs: Mapping[str, float]) -> None:
    if math.isfinite(logs["loss"]) and math.isfinite(logs["grad_norm"]):
        return
    raise TrainingFailure(
        f"training diverged at step {step}: loss {logs['loss']:g}, gradient norm {logs['grad_norm']:g}; "
        "lower finetune.learning_rate, or load finetune.base in float32"
    )
