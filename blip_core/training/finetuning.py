"""Tuning an adapter on BLIP-2: the Hugging Face Trainer over frozen vision features."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from blip_core import strict_json
from blip_core.errors import NotANumber, TrainingFailure
from blip_core.inference.predicting import describe
from blip_core.modeling.adapter_targets import check_adapter
from blip_core.modeling.adapters import (
    adapter_state,
    attach_adapter,
    begin_with,
    restore_adapter,
    save_adapter,
)
from blip_core.modeling.dropping import quick_dropout
from blip_core.modeling.features import VisionCache, VisionStates, distinct_pictures, image_features
from blip_core.modeling.finite import is_finite
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from blip_core.modeling.recomputing import compute_activations_twice, keep_activations
from blip_core.modeling.vision_tower import release_vision_tower
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example, Rejection, most_offered
from blip_core.training.checkpoints import Checkpoints, Snapshot
from blip_core.training.fingerprint import fingerprint
from blip_core.training.inputs import check_examples, quarantine
from blip_core.training.learner import Learner, collate, validation_metrics
from blip_core.training.process_group import ALONE, ProcessGroup
from blip_core.training.progress import Progress
from blip_core.training.results import TrainingCounts, TrainingResult
from blip_core.training.rows import (
    RowSource,
    TrainingRow,
    check_stages,
    draw_own_descriptions,
    plan_batches,
    planned_steps,
    steps_per_epoch,
    validation_batches,
)
from blip_core.training.sampling import OnSamples, Sampler, handful, ignore_samples
from blip_core.training.trainer import PlannedTrainer, training_arguments
from blip_core.training.watching import Look, OnStep, Watch

ResumeFrom = tuple[Path, Snapshot]


def ignore_step(step: int, metrics: Mapping[str, float]) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class _Tuning:
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

    @property
    def steps(self) -> int:
        return planned_steps(len(self.train.examples), self.settings)


def finetune(
    bundle: Blip2Bundle,
    train: Sequence[Example],
    validation: Sequence[Example],
    settings: Finetune,
    prompts: Inference,
    seed: int,
    out_dir: Path,
    on_step: OnStep = ignore_step,
    *,
    states: VisionStates | None = None,
    start: Path | None = None,
    checkpoints: Path | None = None,
    on_samples: OnSamples = ignore_samples,
    together: ProcessGroup = ALONE,
) -> TrainingResult:
    """Tune an adapter and save the one that did best on the validation rows.

    On a CPU the same seed gives the same bits, however often it was killed and resumed in between. The
    bundle's model carries the adapter afterwards, and has lost its vision tower unless features are fresh.

    Args:
        bundle: BLIP-2 without adapter, its language model quantised as the settings say.
        train: examples to learn, of any kind.
        validation: examples to choose the best step by; without any, the last step is kept.
        settings: what is tuned and how.
        prompts: the wording of both stages, as inference will use it.
        seed: of adapter, order, dropout and stages.
        out_dir: folder for the adapter.
        on_step: told the metrics of every step that this process takes.
        states: where vision states come from; in memory if it is not said.
        start: folder of a saved adapter of the same settings, which is gone on from; absent, a fresh one.
        checkpoints: folder of the checkpoints of this tuning alone, of which the newest complete one is gone
            on from; without it none are kept. They stay: whoever has published the adapter deletes them.
        on_samples: told what the model says of a few rows, before the first step and after every epoch.
        together: the processes that tune, each of which calls this; the first alone writes and samples.

    Raises:
        EmptyDataset: There is nothing to learn.
        RecipeError: The adapter names modules it cannot sit on, or the shares need a prompt that is empty.
        StageFailure: Too many pictures cannot be read.
        TrainingFailure: Nothing moved, the loss diverged, memory does not suffice for one row, or the
            checkpoints are those of another tuning.
        StoreError: The disk is full; earlier checkpoints are kept.
    """
    _check(bundle, train, validation, settings, prompts)
    bundle.model.eval()
    kept = None
    if checkpoints is not None:
        own_steps = fingerprint(bundle, train, validation, settings, prompts, seed, start)
        kept = Checkpoints(checkpoints, own_steps)
    resume_from = kept.newest() if kept else None
    progress = _progress(settings, resume_from)

    states = VisionCache(bundle, settings.batch_size) if states is None else states
    with together.one_first():
        rejections = states.add([*train, *validation])
    readable = quarantine([*train, *validation], rejections)
    if start:
        bundle = _begun(bundle, settings, seed, start)
    own: dict[str, str] = {}
    if together.is_first:
        own = _own_descriptions(bundle, readable, states, settings, prompts, seed, resume_from)
    own = strict_json.loads(together.told(strict_json.dumps(own)))
    if settings.features == "cached":
        release_vision_tower(bundle)

    tuned = bundle if start else attach_adapter(bundle, settings.adapter, seed)

    train_source, validation_source = (
        RowSource(tuned, rows, prompts, settings.describe_share, own, settings.max_text_tokens, seed)
        for rows in _split(readable, train)
    )
    tuning = _Tuning(
        bundle=tuned,
        states=states,
        train=train_source,
        validation=validation_source,
        own=own,
        settings=settings,
        prompts=prompts,
        seed=seed,
        out_dir=out_dir,
        progress=progress,
        checkpoints=kept,
        resume_from=resume_from,
        together=together,
    )
    _train(tuning, on_step, on_samples)
    if together.is_first:
        _save(tuning)
    return _result(tuning, rejections, quarantined=len(train) + len(validation) - len(readable))


def _check(
    bundle: Blip2Bundle,
    train: Sequence[Example],
    validation: Sequence[Example],
    settings: Finetune,
    prompts: Inference,
) -> None:
    """Refuse what cannot be tuned before anything is done."""
    check_examples(train, validation)
    check_stages(prompts, settings.describe_share, settings.own_description_share)
    check_adapter(bundle.model, settings.adapter, settings.features, bundle.quantisation)


def _begun(bundle: Blip2Bundle, settings: Finetune, seed: int, start: Path) -> Blip2Bundle:
    """The base with the adapter that is gone on from: it is this model that describes."""
    begun = attach_adapter(bundle, settings.adapter, seed)
    begin_with(begun, start)
    begun.model.eval()
    return begun


def _progress(settings: Finetune, resume_from: ResumeFrom | None) -> Progress:
    if resume_from is None:
        return Progress(settings.micro_batch_size or settings.batch_size)
    return Progress.from_json(resume_from[1].record["progress"])


def _split(readable: Sequence[Example], train: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Part what is readable into what is learnt and what is validated on."""
    learnt = {example.id for example in train}
    return (
        [example for example in readable if example.id in learnt],
        [example for example in readable if example.id not in learnt],
    )


def _own_descriptions(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    states: VisionStates,
    settings: Finetune,
    prompts: Inference,
    seed: int,
    resume_from: ResumeFrom | None,
) -> dict[str, str]:
    """Descriptions of a share of the examples by the model that is begun with, by example id.

    Rows from a table may have none from anybody else: training on none would not be what inference does. A
    tuning that goes on reads those it began with.
    """
    if resume_from is not None:
        return dict(resume_from[1].record["descriptions"])
    chosen = draw_own_descriptions(examples, settings.own_description_share, seed)
    if not chosen or not prompts.describe_prompt:
        return {}
    keys = list(distinct_pictures(chosen))
    features: dict[str, Tensor] = {}
    with torch.no_grad():
        for start in range(0, len(keys), settings.batch_size):
            batch = keys[start : start + settings.batch_size]
            encoded = image_features(bundle, states.stack(batch).to(bundle.device))
            features.update(zip(batch, encoded, strict=True))
    texts = describe(bundle, chosen, features, prompts)
    return {example.id: text for example, text in zip(chosen, texts, strict=True)}


def _train(tuning: _Tuning, on_step: OnStep, on_samples: OnSamples) -> None:
    progress, settings, bundle = tuning.progress, tuning.settings, tuning.bundle
    examples = (*tuning.train.examples, *tuning.validation.examples)
    learner = Learner(bundle, letters=max(len(LETTERS), most_offered(examples)))
    sampled = handful(tuning.validation.examples, settings.sample_rows)
    watch = Watch(
        bundle,
        settings,
        steps_per_epoch(len(tuning.train.examples), settings.batch_size),
        _look(tuning, learner),
        Sampler(bundle, sampled, tuning.states, tuning.prompts),
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
        _activations_computed_twice(bundle, settings.gradient_checkpointing),
    ):
        trainer.run(tuning.resume_from)
    if watch.best_state is not None:
        restore_adapter(bundle, watch.best_state)


def _look(tuning: _Tuning, learner: Learner) -> Look | None:
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


def _save(tuning: _Tuning) -> None:
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


def _result(tuning: _Tuning, rejections: list[Rejection], quarantined: int) -> TrainingResult:
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
    )
