"""What is watched while training: metrics, validation, the best adapter, whether anything moves at all."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from blip_core.errors import NotANumber, TrainingFailure
from blip_core.modeling.adapters import adapter_state
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Finetune
from blip_core.training.probing import Prober
from blip_core.training.process_group import ALONE, ProcessGroup
from blip_core.training.progress import Progress
from blip_core.training.sampling import OnSamples, Sampler

OnStep = Callable[[int, Mapping[str, float]], None]
Look = Callable[[], dict[str, float]]
Measure = TypeVar("Measure")

_SAVING_SHARE = 0.1  # of the time, at most: a language model that trains in full takes minutes to save
_STEPS_TO_MOVE = 3  # the first step of a warm-up has a learning rate of 0


class Watch(TrainerCallback):
    """Follows a training step by step and decides when to validate, to sample, to save and to stop.

    Args:
        bundle: the model with its adapter.
        settings: how often it is looked at, and how patiently.
        steps_per_epoch: after so many steps the model answers its samples.
        look: validates; None where there is nothing to validate on.
        sampler: answers a few rows.
        prober: answers the rows of the probes.
        progress: how far the tuning is; kept up to date.
        on_step: told the metrics of every step.
        on_samples: told what the model says of the few rows.
        together: the processes of the tuning; the first alone samples.

    Attributes:
        best_state: the adapter at the lowest validation loss after a step; None before the first.
    """

    def __init__(
        self,
        bundle: Blip2Bundle,
        settings: Finetune,
        steps_per_epoch: int,
        look: Look | None,
        sampler: Sampler,
        prober: Prober,
        progress: Progress,
        on_step: OnStep,
        on_samples: OnSamples,
        together: ProcessGroup = ALONE,
    ) -> None:
        self._bundle = bundle
        self._settings = settings
        self._steps_per_epoch = steps_per_epoch
        self._look = look
        self._sampler = sampler
        self._prober = prober
        self._progress = progress
        self._on_step = on_step
        self._on_samples = on_samples
        self._together = together
        self._initial: dict[str, Tensor] | None = adapter_state(bundle)
        self.best_state: dict[str, Tensor] | None = None
        self._saved_at = self._looked_at = time.monotonic()
        self._saving_seconds = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step:
            return
        if not self._progress.curve:
            self._report_beginning()
        self._show_samples(0, False)

    def _report_beginning(self) -> None:
        looked = self._measured(0, self._look) if self._look else {}
        metrics = looked | self._probed(0, is_last=False)
        if metrics:
            self._report(0, metrics)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """The Trainer logs after every step, and once more, without `loss`, at the end."""
        state.log_history.clear()  # the curve is kept once, in the progress
        if not logs or "loss" not in logs:
            return
        step, is_last = state.global_step, state.global_step == state.max_steps
        self._progress.step = step
        self._check_moved(step, is_last)
        self._report(step, self._measure(step, is_last, logs))
        self._show_samples(step, is_last)
        self._progress.stopped_early = self._is_out_of_patience() and not is_last
        control.should_training_stop = control.should_training_stop or self._progress.stopped_early
        control.should_save = (
            self._is_long_since_saved()  # first, and always: all processes ask each other
            or step % self._settings.save_every_steps == 0
            or is_last
            or self._progress.stopped_early
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Once is enough: the Trainer would save again as its epoch ends."""
        control.should_save = False
        self._saved_at = time.monotonic()
        self._saving_seconds = self._saved_at - self._looked_at

    def _is_long_since_saved(self) -> bool:
        """Whether one process says so: all save together."""
        self._looked_at = time.monotonic()
        long = max(self._settings.save_every_seconds, self._saving_seconds / _SAVING_SHARE)
        return not self._together.least(int(self._looked_at - self._saved_at < long))

    def _measure(self, step: int, is_last: bool, logs: Mapping[str, float]) -> dict[str, float]:
        metrics = {"learning_rate": float(logs["learning_rate"])}
        if step not in self._progress.bad_steps:
            metrics |= {"loss": float(logs["loss"]), "grad_norm": float(logs["grad_norm"])}
        if self._look and (step % self._settings.eval_every_steps == 0 or is_last):
            metrics |= self._compare(step, self._measured(step, self._look))
        return metrics | self._probed(step, is_last)

    def _probed(self, step: int, is_last: bool) -> dict[str, float]:
        """The probes whose turn it is; the first process alone asks them."""
        if not self._together.is_first:
            return {}
        return self._measured(step, lambda: self._prober.due(step, is_last))

    def _measured(self, step: int, measure: Callable[[], Measure]) -> Measure:
        """What is measured after a step; numbers that are none end the tuning before it is saved.

        Raises:
            TrainingFailure: A loss, a state or a logit is NaN or infinite.
        """
        try:
            return measure()
        except NotANumber as error:
            raise TrainingFailure(
                f"after step {step}: {error}. No adapter is saved, and checkpoints of steps before are kept: "
                "lower finetune.learning_rate, load finetune.base in float32, or take these rows out"
            ) from error

    def _compare(self, step: int, metrics: dict[str, float]) -> dict[str, float]:
        progress, loss = self._progress, metrics["validation_loss"]
        progress.looks_without_better += 1
        is_kept = self._settings.keep == "last"  # of those looked at, the last one then counts as the best
        if is_kept or progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss, progress.best_step, progress.looks_without_better = loss, step, 0
            self.best_state = adapter_state(self._bundle)
        return metrics

    def _is_out_of_patience(self) -> bool:
        return 0 < self._settings.patience <= self._progress.looks_without_better

    def _show_samples(self, step: int, is_last: bool) -> None:
        if not self._together.is_first or (step % self._steps_per_epoch and not is_last):
            return
        samples = self._measured(step, lambda: self._sampler.sample(step))
        if samples:
            self._progress.samples += samples
            self._on_samples(samples)

    def _check_moved(self, step: int, is_last: bool) -> None:
        taken = step - len(self._progress.bad_steps)
        if self._initial is None or taken == 0 or (taken < _STEPS_TO_MOVE and not is_last):
            return
        now, before = adapter_state(self._bundle), self._initial
        self._initial = None
        if all(torch.equal(now[name], weights) for name, weights in before.items()):
            raise TrainingFailure(
                f"no weight of the adapter moved in {taken} steps: no gradient reaches it; "
                "check finetune.adapter and finetune.learning_rate"
            )

    def _report(self, step: int, metrics: Mapping[str, float]) -> None:
        self._progress.curve.append({"step": step, **metrics})
        self._on_step(step, metrics)
