"""The Hugging Face Trainer over steps that were planned ahead.

Loop, clipping, optimiser and schedule are the Trainer's. Ours are: what a step consists of, what happens
where memory runs out or a loss is no number, and how the state between two steps is kept and put back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from blip_core.backends.memory import is_out_of_memory
from blip_core.errors import TrainingFailure
from blip_core.modeling.adapters import adapter_state, restore_adapter
from blip_core.modeling.features import VisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Finetune
from blip_core.training.checkpoints import Checkpoints, Snapshot
from blip_core.training.learner import Learner, collate, places_and_pads
from blip_core.training.process_group import ALONE, ProcessGroup
from blip_core.training.progress import Progress
from blip_core.training.randomness import (
    joined_states,
    random_states,
    restore_random_states,
    states_of,
)
from blip_core.training.rows import TrainingRow
from blip_core.training.watching import Watch

_ROWS = "rows"
_SHOWN_ROWS = 20


class PlannedSteps(Dataset[dict[str, list[TrainingRow]]]):
    """Steps that were planned ahead, one an item, in order; rows are collated when it is their turn."""

    def __init__(self, plan: Sequence[list[TrainingRow]]) -> None:
        self._plan = plan

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> dict[str, list[TrainingRow]]:
        return {_ROWS: self._plan[index]}


class PlannedTrainer(Trainer):
    """A Trainer that takes its steps as they were planned, and can be killed between any two of them.

    Args:
        bundle: the model with its adapter.
        learner: the same, from a batch to its loss.
        arguments: of the Trainer.
        plan: rows of each step.
        states: where the pictures' vision states come from.
        progress: how far the tuning is; kept up to date.
        watch: follows the steps.
        bad_steps: steps that may be skipped because their loss is no number.
        descriptions: the base's own, by example id, of which the rows were made; kept with the state.
        checkpoints: where the state between two steps is kept; None keeps none.
        together: the processes that take the steps together, each its share of the rows.
    """

    def __init__(
        self,
        bundle: Blip2Bundle,
        learner: Learner,
        arguments: TrainingArguments,
        plan: Sequence[list[TrainingRow]],
        states: VisionStates,
        progress: Progress,
        watch: Watch,
        bad_steps: int,
        descriptions: Mapping[str, str],
        checkpoints: Checkpoints | None,
        together: ProcessGroup = ALONE,
    ) -> None:
        callbacks: list[TrainerCallback] = [watch]
        super().__init__(learner, arguments, train_dataset=PlannedSteps(plan), callbacks=callbacks)
        self.remove_callback(PrinterCallback)
        # Not wrapped: we add gradients up ourselves, once a step, whatever rows and passes a process has.
        self.accelerator.prepare_model = partial(self.accelerator.prepare_model, evaluation_mode=True)
        self._bundle = bundle
        self._together = together
        self._learnt = [parameter for _, parameter in self._trained()]
        self._states = states
        self._progress = progress
        self._watch = watch
        self._bad_steps = bad_steps
        self._descriptions = dict(descriptions)
        self._checkpoints = checkpoints
        self._snapshot: Snapshot | None = None
        self._initial = adapter_state(bundle)
        self._rows: list[TrainingRow] = []
        self._row_losses = torch.zeros(0)
        self._places, self._pads = 0, 0

    def run(self, resume_from: tuple[Path, Snapshot] | None) -> None:
        """Take all steps that are left.

        Raises:
            TrainingFailure: Memory does not suffice for a single row, too many losses were no numbers, or
                nothing moved.
            StoreError: The disk is full; the checkpoints before are kept.
        """
        self.model.train()  # once, not at every step: whoever looks at the model in between puts it back
        if resume_from is None:
            self.train()
            return
        folder, self._snapshot = resume_from
        self._watch.best_state = self._snapshot.best or None
        if self._progress.stopped_early:
            self._load_from_checkpoint(str(folder))
            return
        self.train(resume_from_checkpoint=str(folder))

    # What a step is

    def get_train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train_dataset, batch_size=1, shuffle=False, collate_fn=_the_only)

    def training_step(
        self, model: nn.Module, inputs: Mapping[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Gradients of the mean of all rows' losses, in as many passes as memory asks for."""
        del num_items_in_batch  # rows count, not tokens
        self._rows = list(inputs[_ROWS])
        drawn = random_states()
        while not self._accumulate(model):
            self._make_room(model)
            restore_random_states(drawn)
        self._join()
        return torch.nan_to_num(self._row_losses.mean())

    def _join(self) -> None:
        """Add up what the processes have of a step, so that each goes on as if it had taken all of it."""
        together, progress = self._together, self._progress
        together.sum_gradients(self._learnt)
        self._row_losses = together.in_turn(self._row_losses, len(self._rows))
        counts = together.summed(torch.tensor([self._places, self._pads]))
        progress.places += int(counts[0])
        progress.pads += int(counts[1])
        progress.micro_batch_size = together.least(progress.micro_batch_size)

    def _accumulate(self, model: nn.Module) -> bool:
        """Whether all rows went through; if not, memory ran out, and the gradients are but a part."""
        size, turn = self._progress.micro_batch_size, self.state.global_step + 1
        own = self._together.share(self._rows)
        losses, places, pads = [torch.zeros(0, device=self._bundle.device)], 0, 0
        try:
            for start in range(0, len(own), size):
                rows = own[start : start + size]
                batch = collate(self._bundle, self._states, rows, turn)
                row_losses = model(**self._prepare_inputs(batch))["row_losses"]
                self.accelerator.backward(row_losses.sum() / len(self._rows))
                losses.append(row_losses.detach())
                counted = places_and_pads(self._bundle, batch)
                places, pads = places + counted[0], pads + counted[1]
        except (RuntimeError, MemoryError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        self._row_losses = torch.cat(losses)
        self._places, self._pads = places, pads
        return True

    def _make_room(self, model: nn.Module) -> None:
        model.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        tried = min(self._progress.micro_batch_size, len(self._together.share(self._rows)))
        if tried > 1:
            self._progress.micro_batch_size = tried // 2
            return
        longest = max(len(row.prompt) + len(row.target) for row in self._rows)
        raise TrainingFailure(
            f"memory does not suffice for one row at step {self.state.global_step + 1}, of up to {longest} "
            "tokens: set finetune.gradient_checkpointing to true, lower finetune.max_text_tokens or "
            "finetune.adapter.r, quantise the language model (finetune.quantisation), or stop other programs "
            "that use the device"
        )

    # Steps whose loss is no number

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        """Without gradients the optimiser leaves weights and moments alone."""
        norm = self.accelerator.clip_grad_norm_(self._learnt, self.args.max_grad_norm)
        losses = self._row_losses.isfinite()
        if not bool(losses.all() & torch.as_tensor(norm).isfinite()):
            model.zero_grad(set_to_none=True)
            self._count_bad_step(losses.tolist())
        return norm

    def _count_bad_step(self, is_finite: Sequence[bool]) -> None:
        step, bad = self.state.global_step + 1, self._progress.bad_steps
        # Where all losses are numbers and the gradient is none, any row may be the cause.
        blamed = [row for row, finite in zip(self._rows, is_finite, strict=True) if not finite] or self._rows
        bad[step] = [row.example for row in blamed]
        if len(bad) > self._bad_steps:
            raise TrainingFailure(f"{self._told_bad_steps(step)}. {self._roll_back()}")

    def _told_bad_steps(self, step: int) -> str:
        bad = self._progress.bad_steps
        ids = list(dict.fromkeys(example for examples in bad.values() for example in examples))
        shown = ", ".join(ids[:_SHOWN_ROWS])
        more = f" and {len(ids) - _SHOWN_ROWS} more" if len(ids) > _SHOWN_ROWS else ""
        steps = ", ".join(map(str, bad))
        return (
            f"training diverged at step {step}: loss or gradient was NaN or infinite in {len(bad)} steps "
            f"({steps}), and finetune.bad_steps allows {self._bad_steps}. Rows: {shown}{more}"
        )

    def _roll_back(self) -> str:
        """Leave the model as it was when all was well."""
        found = self._checkpoints.newest() if self._checkpoints else None
        restore_adapter(self._bundle, found[1].adapter if found else self._initial)
        kept = f"The model is back at {found[0]}" if found else "The model is as it was before training"
        return (
            f"{kept}; no adapter is saved. Look at these rows and take them out, lower "
            "finetune.learning_rate, or load finetune.base in float32"
        )

    # The state between two steps

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        del model, trial
        if self._checkpoints is None:
            return
        drawn = self._together.collect(safetensors.torch.save(random_states()))
        if not self._together.is_first:
            return
        record = {
            "scheduler": self.lr_scheduler.state_dict(),
            "groups": self._learning_rates(),
            "progress": self._progress.to_json(),
            "descriptions": self._descriptions,
        }
        self._checkpoints.save(
            Snapshot(
                step=self.state.global_step,
                adapter=adapter_state(self._bundle),
                best=self._watch.best_state or {},
                optimiser=self._moments(),
                random=joined_states([safetensors.torch.load(states) for states in drawn]),
                trainer_state=asdict(self.state),
                record=record,
            )
        )

    def _learning_rates(self) -> list[dict[str, float]]:
        return [
            {"lr": group["lr"], "initial_lr": group["initial_lr"]} for group in self.optimizer.param_groups
        ]

    def _moments(self) -> dict[str, Tensor]:
        return {
            f"{name}/{key}": value.detach().cpu()
            for name, parameter in self._trained()
            for key, value in self.optimizer.state.get(parameter, {}).items()
        }

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in self._bundle.model.named_parameters() if p.requires_grad]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        del resume_from_checkpoint, model
        if self._snapshot is not None:
            restore_adapter(self._bundle, self._snapshot.adapter)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or self._snapshot is None:
            return
        for name, parameter in self._trained():
            moments = _of(self._snapshot.optimiser, name)
            if moments:
                self.optimizer.state[parameter] = {
                    key: value.to(parameter.device, copy=True) for key, value in moments.items()
                }
        record = self._snapshot.record
        for group, saved in zip(self.optimizer.param_groups, record["groups"], strict=True):
            group.update(saved)
        self.lr_scheduler.load_state_dict(record["scheduler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """A process that had no part in the steps before draws as at the beginning."""
        if checkpoint is None or self._snapshot is None:
            return
        states = states_of(self._snapshot.random, self._together.rank)
        if states:
            restore_random_states(states)


def _the_only(items: Sequence[Any]) -> Any:
    (item,) = items
    return item


def _of(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """What belongs to one weight, by what it is."""
    keys = ("step", "exp_avg", "exp_avg_sq")
    return {key: tensors[f"{name}/{key}"] for key in keys if f"{name}/{key}" in tensors}


_SCHEDULERS = {"cosine": "cosine", "constant": "constant_with_warmup"}  # as transformers calls them


def training_arguments(
    settings: Finetune, device: torch.device, seed: int, steps: int, out_dir: Path
) -> TrainingArguments:
    """The Trainer's arguments for a section of a recipe; it saves, reports and prints nothing by itself."""
    options: dict[str, Any] = {
        "max_steps": steps,
        "per_device_train_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": _SCHEDULERS[settings.schedule],
        "warmup_steps": round(settings.warmup_share * steps),
        "max_grad_norm": settings.max_grad_norm,
        "weight_decay": settings.weight_decay,
        # One kernel for all weights; torch 2.13 has it for CUDA and for the CPU.
        "optim": "adamw_torch_fused",
        "seed": seed,
    }
    arguments = TrainingArguments(
        output_dir=str(out_dir),
        use_cpu=device.type == "cpu",
        save_strategy="no",  # the Trainer's own checkpoints are pickles; `Watch` asks for ours
        report_to="none",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        **options,
    )
    # More would mean DataParallel, which bitsandbytes does not survive.
    arguments._n_gpu = min(arguments.n_gpu, 1)  # noqa: SLF001
    return arguments
