"""A tuning that is about to be run: its steps, its looks at validation rows, what it leaves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from blip_core.errors import NotANumber, TrainingFailure
from blip_core.modeling.adapters import adapter_state, restore_adapter, save_adapter
from blip_core.modeling.adapting import quick_adapters
from blip_core.modeling.attending import quick_attention
from blip_core.modeling.dropping import quick_dropout
from blip_core.modeling.elements import quick_elements
from blip_core.modeling.features import VisionStates
from blip_core.modeling.finite import is_finite
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from blip_core.modeling.recomputing import compute_activations_twice, keep_activations
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Rejection, most_offered
from blip_core.training.checkpoints import Checkpoints, Snapshot
from blip_core.training.learner import Learner, collate, validation_metrics
from blip_core.training.probing import ProbedRows, Prober, Remembered
from blip_core.training.process_group import ProcessGroup
from blip_core.training.progress import Progress
from blip_core.training.results import TrainingCounts, TrainingResult
from blip_core.training.rows import (
    RowSource,
    TrainingRow,
    plan_batches,
    planned_steps,
    steps_per_epoch,
    validation_batches,
)
from blip_core.training.sampling import OnSamples, Sampler, handful
from blip_core.training.trainer import PlannedTrainer, training_arguments
from blip_core.training.watching import Look, OnStep, Watch

ResumeFrom = tuple[Path, Snapshot]


@dataclass(frozen=True)
class Tuning:
    """A tuning that is about to be run.

    Attributes:
        bundle: with its adapter.
        states: of the pictures.
        train: rows to learn.
        validation: rows to choose the best step by.
        own: descriptions of the model that was begun with, by example id.
        settings: what is tuned and how.
        prompts: the wording of both stages.
        seed: of order, dropout and stages.
        out_dir: folder for the adapter.
        progress: how far it is.
        checkpoints: where its state is kept.
        resume_from: the state that is gone on from.
        together: the processes that tune.
        probes: rows that are judged on the way, see `Prober`.
    """

    bundle: Blip2Bundle
    states: VisionStates
    train: RowSource
    validation: RowSource
    own: Mapping[str, str]
    settings: Finetune
    prompts: Inference
    seed: int
    out_dir: Path
    progress: Progress
    checkpoints: Checkpoints | None
    resume_from: ResumeFrom | None
    together: ProcessGroup
    probes: Sequence[ProbedRows] = ()

    @property
    def steps(self) -> int:
        return planned_steps(len(self.train.examples), self.settings)


def take_steps(tuning: Tuning, on_step: OnStep, on_samples: OnSamples) -> list[Remembered]:
    """Learn batch after batch; the bundle carries the best adapter afterwards.

    Returns:
        What each probe scored before the first step and with that adapter; the first process tells.

    Raises:
        TrainingFailure: Nothing moved, or the loss diverged.
    """
    progress, settings, bundle = tuning.progress, tuning.settings, tuning.bundle
    examples = (*tuning.train.examples, *tuning.validation.examples)
    learner = Learner(bundle, letters=max(len(LETTERS), most_offered(examples)))
    sampled = handful(tuning.validation.examples, settings.sample_rows)
    epoch = steps_per_epoch(len(tuning.train.examples), settings.batch_size)
    prober = Prober(bundle, tuning.probes, tuning.states, epoch)
    watch = Watch(
        bundle,
        settings,
        epoch,
        _look(tuning, learner),
        Sampler(bundle, sampled, tuning.states, tuning.prompts),
        prober,
        progress,
        on_step,
        on_samples,
        tuning.together,
    )
    trainer = PlannedTrainer(
        bundle,
        learner,
        training_arguments(
            settings, bundle.device, tuning.seed + tuning.together.rank, tuning.steps, tuning.out_dir
        ),
        plan_batches(tuning.train, settings.batch_size, tuning.steps),
        tuning.states,
        progress,
        watch,
        settings.bad_steps,
        tuning.own,
        tuning.checkpoints,
        tuning.together,
    )
    tuning.together.begin_equal([p for p in bundle.model.parameters() if p.requires_grad])
    with (
        quick_linears(bundle.model),
        quick_dropout(bundle.model),
        quick_attention(),
        quick_elements(bundle.model),
        quick_adapters(bundle.model),
        _activations_computed_twice(bundle, settings.gradient_checkpointing),
    ):
        trainer.run(tuning.resume_from)
    if watch.best_state is not None:
        restore_adapter(bundle, watch.best_state)
    if not tuning.probes or not tuning.together.is_first:
        return []
    kept = progress.best_step or progress.step
    known = [row for row in progress.curve if row["step"] == kept]
    return prober.remembered(progress.curve[0], known[-1] if known else {})


def _look(tuning: Tuning, learner: Learner) -> Look | None:
    """Validation over rows that are collated when they are looked at: kept, they would fill main memory."""
    if not tuning.validation.examples:
        return None
    batches = validation_batches(tuning.validation, tuning.settings.batch_size)
    shared = tuning.together.share(batches)

    def tallied(parts: Iterable[list[TrainingRow]]) -> Tensor:
        return learner.tallies(collate(tuning.bundle, tuning.states, rows) for rows in parts)

    def look() -> dict[str, float]:
        own = tallied(shared)
        for rows, tally in zip(shared, own, strict=True):
            if not bool(tally.isfinite().all()):
                _refuse_rows_without_a_loss(rows, tallied([row] for row in rows))
        return validation_metrics(tuning.together.in_turn(own, len(batches)))

    return look


def _refuse_rows_without_a_loss(rows: Sequence[TrainingRow], tallies: Tensor) -> None:
    """Name the rows of a batch whose own loss is no number; all of them where it takes the batch.

    Raises:
        NotANumber: Always.
    """
    bad = [row for row, tally in zip(rows, tallies, strict=True) if not bool(tally.isfinite().all())]
    ids = ", ".join(dict.fromkeys(row.example for row in bad or rows))
    raise NotANumber(f"the validation loss is NaN or infinite for row {ids}")


@contextmanager
def _activations_computed_twice(bundle: Blip2Bundle, is_asked: bool) -> Iterator[None]:
    if not is_asked:
        yield
        return
    compute_activations_twice(bundle.blip2)
    try:
        yield
    finally:
        keep_activations(bundle.blip2)


def save(tuning: Tuning) -> None:
    """Save the adapter, unless its last update made it one of weights that are no numbers.

    Raises:
        TrainingFailure: There is nothing that could be published.
    """
    progress = tuning.progress
    for name, weights in adapter_state(tuning.bundle).items():
        if not is_finite(weights):
            raise TrainingFailure(
                f"{name} holds NaN or infinity after step {progress.step}; no adapter is saved: lower "
                "finetune.learning_rate, or load finetune.base in float32"
            )
    notes = (
        f"Tuned for {progress.step} steps on {len(tuning.train.examples)} rows, seed {tuning.seed}; "
        f"saved from step {progress.best_step or progress.step}."
    )
    save_adapter(tuning.bundle, tuning.out_dir, tuning.settings.base, notes)
    tuning.bundle.model.eval()


def result_of(
    tuning: Tuning,
    rejections: list[Rejection],
    quarantined: int,
    remembered: Sequence[Remembered] = (),
) -> TrainingResult:
    """What came of a tuning, and what was counted."""
    progress = tuning.progress
    learnt = (
        row
        for batch in plan_batches(tuning.train, tuning.settings.batch_size, progress.step)
        for row in batch
    )
    counts = TrainingCounts(
        rows=len(tuning.train.examples),
        cut_texts=len({row.example for row in learnt if row.is_cut}),
        quarantined=quarantined,
        vision_forwards=int(tuning.together.summed(torch.tensor(tuning.states.forwards))),
        padded_share=progress.padded_share,
        tokens=progress.places - progress.pads,
        skipped_steps=len(progress.bad_steps),
        resumed_at=tuning.resume_from[1].step if tuning.resume_from else None,
        micro_batch_size=progress.micro_batch_size,
        stopped_early=progress.stopped_early,
        seconds=progress.all_seconds,
    )
    return TrainingResult(
        curve=progress.curve,
        steps=progress.step,
        trainable=sum(p.numel() for p in tuning.bundle.model.parameters() if p.requires_grad),
        seconds=counts.seconds,
        best_validation_loss=progress.best_loss,
        best_step=progress.best_step or progress.step,
        adapter=tuning.out_dir,
        samples=progress.samples,
        counts=counts,
        rejections=rejections,
        remembered=list(remembered),
    )
