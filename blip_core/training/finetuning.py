"""Tuning an adapter on BLIP-2: the Hugging Face Trainer over frozen vision features."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from blip_core import strict_json
from blip_core.inference.predicting import describe
from blip_core.modeling.adapter_targets import check_adapter
from blip_core.modeling.adapters import (
    attach_adapter,
    begin_with,
)
from blip_core.modeling.features import VisionCache, VisionStates, add_all, distinct_pictures, picture_part
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.vision_tower import release_vision_tower
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from blip_core.training.checkpoints import Checkpoints
from blip_core.training.fingerprint import fingerprint
from blip_core.training.inputs import check_examples, quarantine
from blip_core.training.probing import ProbedRows
from blip_core.training.process_group import ALONE, ProcessGroup
from blip_core.training.progress import Progress
from blip_core.training.results import TrainingResult
from blip_core.training.rows import (
    RowSource,
    check_stages,
    draw_own_descriptions,
)
from blip_core.training.sampling import OnSamples, ignore_samples
from blip_core.training.tuning import ResumeFrom, Tuning, result_of, save, take_steps
from blip_core.training.watching import OnStep


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
    *,
    states: VisionStates | None = None,
    start: Path | None = None,
    checkpoints: Path | None = None,
    on_samples: OnSamples = ignore_samples,
    together: ProcessGroup = ALONE,
    probes: Sequence[ProbedRows] = (),
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
        probes: rows that are judged before, while and after it learns, see `Prober`.

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
        add_all(states, [row for probe in probes for row in probe.examples])
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
        RowSource(
            tuned,
            rows,
            prompts,
            settings.describe_share,
            own,
            settings.max_text_tokens,
            seed,
            settings.wordings,
            settings.learn,
        )
        for rows in _split(readable, train)
    )
    tuning = Tuning(
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
        probes=probes,
    )
    remembered = take_steps(tuning, on_step, on_samples)
    if together.is_first:
        save(tuning)
    return result_of(
        tuning, rejections, quarantined=len(train) + len(validation) - len(readable), remembered=remembered
    )


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
            encoded = picture_part(bundle, states.stack(batch).to(bundle.device))
            features.update(zip(batch, encoded, strict=True))
    texts = describe(bundle, chosen, features, prompts)
    return {example.id: text for example, text in zip(chosen, texts, strict=True)}
