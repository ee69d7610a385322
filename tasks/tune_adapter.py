"""Stage 5: an adapter is tuned on the dataset."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from blip_core.dataset import read_split, taught
from blip_core.recipes import Recipe
from blip_core.records import Example
from blip_core.reporting.curves import CURVE, PROBE, SAMPLES, write_curve, write_samples
from blip_core.store import ArtifactRef
from blip_core.store.places.shelf import TRAINING
from blip_core.wiring import (
    Workplace,
    checkpoint_identity,
    git_commit,
    inference_settings,
    library_environment,
    load_base,
    pinned,
    probed_rows,
    probes_identity,
    since_the_base,
    tuning_job,
    vision_states,
    workplace,
)
from tasks.stage import metadata_of, path_of, stage, watcher

if TYPE_CHECKING:
    from blip_core.training import TrainingResult
    from blip_core.training.launching import Tuned
    from blip_core.training.sampling import Sample

VERSION = 3
STEPS_SHOWN_ONE_IN = 10  # one batch says little: the loss told is the mean of a tenth of the steps
ADAPTER = "adapter"
_LOOKS = ("validation_", PROBE)  # what is measured of other rows than those that are learnt
REMEMBERED = "remembered"  # of an adapter: what each probe scored of the base, before, and of it


def key(recipe: Recipe, dataset: ArtifactRef, start: ArtifactRef | None = None) -> str:
    prompts = inference_settings(recipe)
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("finetune", "seed", "task", "stages"),
        "prompts": [prompts.describe_prompt, prompts.answer_prompt],
        **({"further_prompts": prompts.further_prompts} if prompts.further_prompts else {}),
        "dataset": dataset.digest,
        "base": checkpoint_identity(recipe.finetune.base),
        **recipe.device.arithmetic(),
        **({"start": start.digest} if start else {}),
        **({"probes": probes_identity(recipe)} if recipe.probes else {}),
    }
    return workplace().store.key("adapter", inputs)


@stage("finetune", key)
def tune_adapter(recipe: Recipe, dataset: ArtifactRef, start: ArtifactRef | None = None) -> ArtifactRef:
    """Tune an adapter on the training rows, watched on the validation rows; a killed tuning goes on.

    Args:
        recipe: what is tuned, and how.
        dataset: rows to learn.
        start: the adapter that is gone on from; without, a fresh one.
    """
    place, own_key = workplace(), key(recipe, dataset, start)
    checkpoints = place.training / own_key

    def build(folder: Path) -> dict[str, Any]:
        from blip_core.training.mirror import Mirror

        _forget_finished(place)
        mirror = Mirror(place.store.place.shelf, own_key, checkpoints)
        mirror.bring()
        rows = path_of(dataset)
        train = taught(read_split(rows, "train"), recipe.finetune.references)
        report = Report(recipe, len(train), mirror.save)
        work = Folders(folder / ADAPTER, checkpoints, path_of(start) / ADAPTER if start else None)
        if recipe.device.processes > 1:
            tuned = _tune_together(recipe, rows, work, report)
        else:
            tuned = _tune(recipe, train, read_split(rows, "validation"), work, report)
        result = tuned.result
        write_curve(folder / CURVE, result.curve)
        write_samples(folder / SAMPLES, [sample.to_row() for sample in result.samples])
        return {
            **_learnt(result),
            **_remembered(result, start),
            "rows": len(train),
            "rows_per_second": report.rows_per_second,
            "device_name": tuned.device_name,
            "manifest": [asdict(part) for part in tuned.manifest],
            "processes": recipe.device.processes,
            "commit": git_commit(),
            "recipe": recipe.name,
            "base": recipe.finetune.base.id,
            "model": checkpoint_identity(recipe.finetune.base),
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "finetune"}),
            **({"phase": recipe.phase} if recipe.phase else {}),
            "made_from": {"dataset": dataset.key} | ({"start": start.key} if start else {}),
        }

    adapter = place.store.publish(own_key, "adapter", build).ref()
    shutil.rmtree(checkpoints, ignore_errors=True)  # what cannot be removed is swept by the next tuning
    _forget_mirrored(place, own_key)
    return adapter


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a tuning writes its adapter and its checkpoints, and the adapter that it goes on from."""

    adapter: Path
    checkpoints: Path
    start: Path | None


class Report:
    """Tells the watcher how a tuning gets on, and how many rows a second it learnt from.

    Args:
        recipe: what is tuned.
        rows: training rows of one epoch.
        on_step: called after each step.
    """

    def __init__(self, recipe: Recipe, rows: int, on_step: Callable[[], None]) -> None:
        self._on_step = on_step
        self._batches = max(1, -(-rows // recipe.finetune.batch_size))
        self._epochs = recipe.finetune.epochs
        self._steps = max(1, round(self._epochs * self._batches))
        self._rows_a_step = rows / self._batches
        self._began: tuple[int, float] | None = None
        self._losses: list[float] = []
        self._looks: dict[str, float] = {}
        self.rows_per_second: float | None = None

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Steps, with all that happens between them, are timed from the second one of this process on."""
        self._on_step()
        watcher().progress(min(step, self._steps), self._steps)
        watcher().metrics(metrics, step)
        if step == 0:
            return
        self._count_epoch(step, metrics)
        now = time.monotonic()
        self._began = self._began or (step, now)
        first, since = self._began
        if step > first and now > since:
            self.rows_per_second = (step - first) * self._rows_a_step / (now - since)

    def _count_epoch(self, step: int, metrics: Mapping[str, float]) -> None:
        """Tell of each epoch, and of a last part of one: its mean loss, and the newest look at other rows."""
        self._losses += [metrics["loss"]] if "loss" in metrics else []
        self._looks |= {name: value for name, value in metrics.items() if name.startswith(_LOOKS)}
        if step % self._batches and step != self._steps:
            return
        loss = _mean(self._losses)
        told = ({"loss": loss} if loss is not None else {}) | self._looks
        watcher().epoch(round(step / self._batches, 2), self._epochs, told)
        self._losses, self._looks = [], {}

    def samples(self, samples: "Sequence[Sample]") -> None:
        watcher().samples([sample.to_row() for sample in samples])


def _tune(
    recipe: Recipe,
    train: Sequence[Example],
    validation: Sequence[Example],
    work: Folders,
    report: Report,
) -> "Tuned":
    from blip_core.modeling.device_name import device_name
    from blip_core.training import finetune
    from blip_core.training.launching import Tuned

    bundle = load_base(recipe)
    settings = recipe.finetune.model_copy(update={"base": pinned(recipe.finetune.base)})
    result = finetune(
        bundle,
        train,
        validation,
        settings,
        inference_settings(recipe),
        recipe.seed,
        work.adapter,
        report.step,
        states=vision_states(recipe, bundle),
        start=work.start,
        checkpoints=work.checkpoints,
        on_samples=report.samples,
        probes=probed_rows(recipe),
    )
    return Tuned(result, bundle.manifest, device_name(bundle.device))


def _tune_together(recipe: Recipe, dataset: Path, work: Folders, report: Report) -> "Tuned":
    """The model is loaded by the processes that tune, and never by this one."""
    from blip_core.training.launching import finetune_together

    with TemporaryDirectory() as folder:
        probes = _written_probes(recipe, Path(folder))
        job = tuning_job(recipe, dataset, work.adapter, work.checkpoints, work.start, probes)
        return finetune_together(job, library_environment(), report.step, report.samples)


def _written_probes(recipe: Recipe, folder: Path) -> Path | None:
    if not recipe.probes:
        return None
    from blip_core.training.probing import write_probes

    write_probes(folder, probed_rows(recipe))
    return folder


def _learnt(result: "TrainingResult") -> dict[str, Any]:
    losses = [row["loss"] for row in result.curve if "loss" in row]
    shown = max(1, len(losses) // STEPS_SHOWN_ONE_IN)
    return {
        "steps": result.steps,
        "trainable": result.trainable,
        "first_loss": _mean(losses[:shown]),
        "last_loss": _mean(losses[-shown:]),
        "best_validation_loss": result.best_validation_loss,
        "best_step": result.best_step,
        "counts": asdict(result.counts),
        "quarantined": [rejection.to_row() for rejection in result.rejections],
    }


def _remembered(result: "TrainingResult", start: ArtifactRef | None) -> dict[str, Any]:
    """What came of the probes; nothing where there are none."""
    if not result.remembered:
        return {}
    before = remembered_of(start) if start else []
    return {REMEMBERED: since_the_base([asdict(one) for one in result.remembered], before)}


def _forget_finished(place: Workplace) -> None:
    """Remove checkpoints of tunings that were killed between their end and this."""
    for adapter in place.store.artifacts("adapter"):
        shutil.rmtree(place.training / adapter.key, ignore_errors=True)


def _forget_mirrored(place: Workplace, key: str) -> None:
    """Remove what was kept of a tuning for other machines, now that it is finished; loads no torch."""
    shelf = place.store.place.shelf
    if shelf is not None:
        shelf.forget(f"{TRAINING}/{key}")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def remembered_of(adapter: ArtifactRef) -> list[dict[str, Any]]:
    """What each probe scored of the base, before the tuning and of the adapter; empty without probes."""
    told: list[dict[str, Any]] = metadata_of(adapter).get(REMEMBERED, [])
    return told
