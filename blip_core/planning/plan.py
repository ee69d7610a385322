"""What a run of a recipe would take, before anything is downloaded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from blip_core.planning.advice import Advice, advise
from blip_core.planning.architectures import Architecture, published_parameters
from blip_core.planning.cards import (
    CARD_SIZES_GB,
    CARDS,
    CONTEXT_BYTES,
    Card,
    card_named,
    card_of_device,
    fits,
)
from blip_core.planning.counting import Counts, count_phases
from blip_core.planning.dense import Dense, plan_dense
from blip_core.planning.live_bytes import Where
from blip_core.planning.parameters import Parameters, count_parameters
from blip_core.planning.rates import Rate
from blip_core.planning.stages import Stage, StageSizes, known_architectures
from blip_core.planning.storage import (
    Disk,
    disk_of,
    disk_of_phases,
    download_bytes,
    host_bytes,
    rows_held,
)
from blip_core.planning.timing import Timing, choose_card, time_plugged, time_stage
from blip_core.prefetching import served_models
from blip_core.recipes import Recipe


@dataclass(frozen=True)
class Plan:
    """A plan: everything in bytes, seconds and rows.

    Attributes:
        recipe: what is planned.
        where: what models run on.
        counts: rows of every stage.
        architectures: how the checkpoints are built, by the field that names them.
        parameters: of the BLIP-2 that is tuned.
        stages: what each holds at its peak.
        host: main memory by stage.
        disk: what is added to it.
        downloads: bytes by checkpoint.
        timings: in the order of the stages.
        card: that derived times hold for.
        dense: answering with an unpacked language model.
        advice: how stages come to fit smaller cards.
        before: of the phases before this one; nobody is judged in them.
    """

    recipe: Recipe
    where: Where
    counts: Counts
    architectures: Mapping[str, Architecture]
    parameters: Parameters
    stages: Sequence[Stage]
    host: Mapping[str, int]
    disk: Disk
    downloads: Mapping[str, int]
    timings: Sequence[Timing]
    card: Card
    dense: Dense
    advice: Sequence[Advice] = field(default=())
    before: "tuple[Plan, ...]" = ()

    @property
    def peaks(self) -> dict[str, int]:
        """Bytes on the device by stage; of predicting, those of the largest variant."""
        return peaks_of(self.stages)

    @property
    def device_hours(self) -> float:
        """Of all phases."""
        own = sum(timing.device_hours for timing in self.timings)
        return own + sum(timing.device_hours for one in self.before for timing in one.of_rows_and_tuning)

    @property
    def of_rows_and_tuning(self) -> list[Timing]:
        """Times of all stages but the answers of variants, which come once, after the last phase."""
        return [timing for timing in self.timings if not timing.stage.startswith("predict ")]

    def fitting(self, card_gb: int) -> dict[str, bool]:
        """Which stages fit a card of such a size."""
        return {stage: fits(peak, card_gb) for stage, peak in self.peaks.items()}

    @property
    def smallest_gb(self) -> int | None:
        """Smallest card that all stages fit."""
        return next((size for size in CARD_SIZES_GB if all(self.fitting(size).values())), None)

    def to_dict(self) -> dict[str, Any]:
        """The plan as programs read it."""
        on_gpu = self.where == "cuda"
        return {
            "recipe": self.recipe.name,
            "profile": self.recipe.profile,
            "device": self.where,
            "rows": asdict(self.counts),
            "checkpoints": {
                name: {
                    "id": one.id,
                    "known_from": one.origin,
                    "note": one.note,
                    "is_here": one.disk_bytes is not None,
                    "download_bytes": self.downloads.get(one.id, 0),
                }
                for name, one in self.architectures.items()
            },
            "served": {
                field: {"url": model.url, "served_model": model.served_model}
                for field, model in served_models(self.recipe)
            },
            "parameters": {
                "model": self.recipe.finetune.base.id,
                "before": self.parameters.before,
                "after": self.parameters.after,
                "trainable": self.parameters.trainable,
                "trainable_share": self.parameters.trainable_share,
                "modules": [asdict(part) for part in self.parameters.parts],
            },
            "peak_gpu_bytes": self.peaks if on_gpu else {},
            "peak_host_bytes": dict(self.host),
            "stages": [_stage_told(stage) for stage in self.stages],
            "context_bytes": CONTEXT_BYTES if on_gpu else 0,
            "disk_bytes": asdict(self.disk) | {"total": self.disk.total},
            "card": {**asdict(self.card), "is_default": self.card.memory_gb == 0 or self.card.name in CARDS},
            "times": [timing.to_dict() for timing in self.timings],
            "device_hours": self.device_hours,
            "phases": {
                one.recipe.phase: {
                    "rows": asdict(one.counts),
                    "times": [timing.to_dict() for timing in one.of_rows_and_tuning],
                }
                for one in self.before
            },
            "fits": {str(size): self.fitting(size) for size in CARD_SIZES_GB} if on_gpu else {},
            "smallest_card_gb": self.smallest_gb if on_gpu else None,
            "advice": [{**asdict(one), "changes": dict(one.changes), "set": one.sets} for one in self.advice],
            "dense": asdict(self.dense),
        }


def _stage_told(stage: Stage) -> dict[str, Any]:
    footprint = stage.footprint
    return {
        "stage": stage.name,
        "model": stage.model,
        "batch": stage.batch,
        "weights_bytes": footprint.weights,
        "kept_bytes": footprint.kept,
        "working_bytes": footprint.working,
        "peak_bytes": footprint.total,
        "is_coarse": footprint.is_coarse,
        "rows": stage.rows,
        "flops": stage.work.flops,
    }


def make_plan(
    recipe: Recipe,
    models_dir: Path,
    pocket_dir: Path,
    rates: Sequence[Rate] = (),
    rows: int | None = None,
    bundled: int = 0,
    card: str = "",
    elsewhere: Sequence[Rate] = (),
) -> Plan:
    """Plan a run, phase by phase: reads configs, folders' names and journals; no weights, no network.

    Args:
        recipe: what would be run.
        models_dir: where snapshots from the hub lie, as `models_dir/owner/name`.
        pocket_dir: where the bundled family lies, as `pocket_dir/name`.
        rates: how fast stages were on this machine.
        rows: of the dataset; absent, what the recipe asks for.
        bundled: rows of the evaluation set that comes with the pocket family.
        card: times hold for it; empty, this machine's, else one that holds everything: of which rates are
            known from elsewhere, or the smallest.
        elsewhere: how fast stages were on other machines; those of another card say nothing.

    Raises:
        CheckpointError: Nothing is known of a checkpoint, or it is of another kind than its stage needs.
        RecipeError: The adapter names modules that it cannot sit on, or the card is not known.
        TableError: A folder or table that has to be counted cannot be read.
    """
    if card:
        card_named(card)  # a slip is told before anything is counted
    counts = count_phases(recipe, rows, bundled)
    plans = [
        _plan_phase(
            recipe.in_phase(phase), counts[phase.name], models_dir, pocket_dir, rates, card, elsewhere
        )
        for phase in recipe.each_phase()
    ]
    return _joined(recipe, plans)


def _joined(recipe: Recipe, plans: Sequence[Plan]) -> Plan:
    """The plan of the last phase, with what the others take besides."""
    *before, last = plans
    if not before:
        return last
    downloads = {name: size for plan in plans for name, size in plan.downloads.items()}
    known = {
        f"phases.{plan.recipe.phase}.{name}": one
        for plan in before
        for name, one in plan.architectures.items()
        if one.id not in last.downloads
    }
    views, disks = [plan.recipe for plan in plans], [plan.disk for plan in plans]
    return replace(
        last,
        before=tuple(before),
        architectures={**last.architectures, **known},
        downloads=downloads,
        disk=disk_of_phases(views, disks, sum(downloads.values())),
        timings=[*last.timings, *_judged_elsewhere(recipe, plans)],
    )


def _judged_elsewhere(recipe: Recipe, plans: Sequence[Plan]) -> list[Timing]:
    """Times of the variants that answer the rows of a phase besides the recipe's own."""
    return [
        replace(timing, stage=f"{timing.stage} {plan.recipe.phase}")
        for plan in plans
        for name in recipe.further_sets.get(plan.recipe.phase, ())
        for timing in plan.timings
        if timing.stage == f"predict {name}"
    ]


def _plan_phase(
    recipe: Recipe,
    counts: Counts,
    models_dir: Path,
    pocket_dir: Path,
    rates: Sequence[Rate],
    card: str,
    elsewhere: Sequence[Rate],
) -> Plan:
    """Plan one tuning, and its variants' answers."""
    architectures = known_architectures(recipe, models_dir, pocket_dir)
    where = place_of(recipe)
    base = architectures["finetune.base"].config
    parameters = count_parameters(base, recipe.finetune)
    sizes = StageSizes(architectures, counts, where)
    stages = sizes.stages(recipe)
    peaks = peaks_of(stages)
    planned = choose_card(card, recipe, where, peaks, elsewhere)
    there = [rate for rate in elsewhere if card_of_device(rate.device) == planned]
    downloads = {one.id: _download(one) for one in architectures.values()}
    largest = {stage.group: stage.footprint for stage in sorted(stages, key=lambda one: one.footprint.total)}
    held = rows_held(recipe, counts, list(peaks))
    return Plan(
        recipe=recipe,
        where=where,
        counts=counts,
        architectures=architectures,
        parameters=parameters,
        stages=stages,
        host=host_bytes({name: largest[name] for name in peaks}, held, where == "cuda"),
        disk=disk_of(recipe, counts, base, parameters.trainable, sum(downloads.values())),
        downloads=downloads,
        timings=[
            *time_plugged(recipe, counts),
            *(time_stage(stage, recipe, rates, planned, there) for stage in stages),
        ],
        card=planned,
        dense=plan_dense(recipe, sizes, planned),
        advice=_advise(recipe, sizes, peaks) if where == "cuda" else (),
    )


def peaks_of(stages: Sequence[Stage]) -> dict[str, int]:
    """Bytes on the device by stage; of predicting, those of the largest variant."""
    peaks: dict[str, int] = {}
    for stage in stages:
        peaks[stage.group] = max(peaks.get(stage.group, 0), stage.footprint.total)
    return peaks


def place_of(recipe: Recipe) -> Where:
    """What a recipe's models run on; `auto` takes a GPU where there is one."""
    if recipe.device.kind != "auto":
        return recipe.device.kind
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _download(architecture: Architecture) -> int:
    if architecture.disk_bytes is not None:
        return 0
    return download_bytes(architecture, published_parameters(architecture.id))


def _advise(recipe: Recipe, sizes: StageSizes, peaks: Mapping[str, int]) -> list[Advice]:
    """Advice for every stage on every card that it does not fit, larger cards first."""
    return [
        advise(stage, recipe, size, partial(sizes.largest, stage))
        for size in reversed(CARD_SIZES_GB)
        for stage, peak in peaks.items()
        if not fits(peak, size)
    ]
