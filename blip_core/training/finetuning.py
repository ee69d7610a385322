"""Tuning a LoRA adapter on BLIP-2: the Hugging Face Trainer over frozen vision features."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from blip_core.errors import EmptyDataset
from blip_core.inference.predicting import describe
from blip_core.inference.prompting import check_task
from blip_core.modeling.adapters import attach_adapter, restore_adapter, save_adapter, targeted_linears
from blip_core.modeling.features import VisionCache, distinct_pictures, image_features
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from blip_core.training.learner import Batch, Learner, PlannedBatches, collate
from blip_core.training.rows import (
    RowSource,
    check_stages,
    draw_own_descriptions,
    plan_batches,
    steps_per_epoch,
    validation_batches,
)
from blip_core.training.watching import OnStep, Watch


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a tuning.

    Attributes:
        curve: metrics by step: `step`, `loss`, `learning_rate`, `grad_norm`, at times `validation_loss` and
            `validation_accuracy`; row 0 is the validation before training.
        steps: optimiser steps taken.
        trainable: weights that were trained.
        seconds: wall time, pictures encoded and base's own descriptions included.
        best_validation_loss: of the adapter that was saved; None without validation rows.
        best_step: the step it is from.
        adapter: folder it was saved in.
    """

    curve: list[dict[str, float]]
    steps: int
    trainable: int
    seconds: float
    best_validation_loss: float | None
    best_step: int
    adapter: Path


def ignore_step(step: int, metrics: Mapping[str, float]) -> None:
    """Report nothing."""


def finetune(
    bundle: Blip2Bundle,
    train: Sequence[Example],
    validation: Sequence[Example],
    settings: Finetune,
    prompts: Inference,
    seed: int,
    out_dir: Path,
    on_step: OnStep = ignore_step,
) -> TrainingResult:
    """Tune an adapter and save the one that did best on the validation rows.

    On a CPU the same seed gives the same bits. The bundle's model carries the adapter afterwards.

    Args:
        bundle: BLIP-2 without adapter, its language model quantised as the settings say.
        train: examples to learn, task `mcq`.
        validation: examples to choose the best step by; without any, the last step is kept.
        settings: what is tuned and how.
        prompts: the wording of both stages, as inference will use it.
        seed: of adapter, order, dropout and stages.
        out_dir: folder for the adapter.
        on_step: told the metrics of every step.

    Raises:
        EmptyDataset: There is nothing to learn.
        RecipeError: The adapter names modules it cannot sit on, or the shares need a prompt that is empty.
        TableError: A picture cannot be read.
        TrainingFailure: Nothing moved, or the loss diverged.
    """
    if not train:
        raise EmptyDataset("no rows are left to train on; see the counts of rejected rows")
    check_task([*train, *validation])
    check_stages(prompts, settings.describe_share, settings.own_description_share)
    targeted_linears(bundle.model, settings.adapter)
    began = time.monotonic()
    bundle.model.eval()
    cache = VisionCache(bundle, settings.batch_size)
    cache.add([*train, *validation])
    own = _own_descriptions(bundle, [*train, *validation], cache, settings, prompts, seed)
    tuned = attach_adapter(bundle, settings.adapter, seed)
    sources = [_source(tuned, examples, own, settings, prompts, seed) for examples in (train, validation)]
    watch, steps = _train(tuned, sources[0], sources[1], cache, settings, seed, out_dir, on_step)
    if watch.best_state is not None:
        restore_adapter(tuned, watch.best_state)
    best_step = watch.best_step or steps
    trainable = sum(p.numel() for p in tuned.model.parameters() if p.requires_grad)
    notes = f"Tuned for {steps} steps on {len(train)} rows, seed {seed}; saved from step {best_step}."
    save_adapter(tuned, out_dir, settings.base, notes)
    tuned.model.eval()
    seconds = time.monotonic() - began
    return TrainingResult(watch.curve, steps, trainable, seconds, watch.best_loss, best_step, out_dir)


def _own_descriptions(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    cache: VisionCache,
    settings: Finetune,
    prompts: Inference,
    seed: int,
) -> dict[str, str]:
    """The untuned base's own descriptions of a share of the examples, by example id.

    Rows from a table may have none from anybody else: training on none would not be what inference does.
    """
    chosen = draw_own_descriptions(examples, settings.own_description_share, seed)
    if not chosen or not prompts.describe_prompt:
        return {}
    keys = list(distinct_pictures(chosen))
    features: dict[str, Tensor] = {}
    for start in range(0, len(keys), settings.batch_size):
        batch = keys[start : start + settings.batch_size]
        encoded = image_features(bundle, cache.stack(batch).to(bundle.device))
        features.update(zip(batch, encoded, strict=True))
    texts = describe(bundle, chosen, features, prompts)
    return {example.id: text for example, text in zip(chosen, texts, strict=True)}


def _source(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    own: Mapping[str, str],
    settings: Finetune,
    prompts: Inference,
    seed: int,
) -> RowSource:
    return RowSource(bundle, examples, prompts, settings.describe_share, own, settings.max_text_tokens, seed)


def _train(
    bundle: Blip2Bundle,
    train: RowSource,
    validation: RowSource,
    cache: VisionCache,
    settings: Finetune,
    seed: int,
    out_dir: Path,
    on_step: OnStep,
) -> tuple[Watch, int]:
    steps = max(1, round(settings.epochs * steps_per_epoch(len(train.examples), settings.batch_size)))
    batches = PlannedBatches(bundle, cache, plan_batches(train, settings.batch_size, steps))
    held_out = [collate(bundle, cache, rows) for rows in validation_batches(validation, settings.batch_size)]
    learner = Learner(bundle)
    watch = Watch(bundle, learner, held_out, settings.eval_every_steps, on_step)
    arguments = _arguments(bundle, settings, seed, steps, out_dir)
    trainer = PlannedTrainer(model=learner, args=arguments, train_dataset=batches, callbacks=[watch])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return watch, steps


class PlannedTrainer(Trainer):
    """A Trainer that takes its batches as they were planned."""

    def get_train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(self.train_dataset, batch_size=None, shuffle=False)


def _arguments(
    bundle: Blip2Bundle, settings: Finetune, seed: int, steps: int, out_dir: Path
) -> TrainingArguments:
    options: dict[str, Any] = {
        "max_steps": steps,
        "per_device_train_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(settings.warmup_share * steps),
        "max_grad_norm": settings.max_grad_norm,
        "weight_decay": settings.weight_decay,
        "optim": "adamw_torch",
        "seed": seed,
    }
    arguments = TrainingArguments(
        output_dir=str(out_dir),
        use_cpu=bundle.device.type == "cpu",
        save_strategy="no",  # the Trainer's own checkpoints are pickles
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
