"""How an adapter came to be, to be looked at: its curve, what it said on the way, what it was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blip_core.reporting import draw_learning
from blip_core.reporting.curves import CURVE, SAMPLES, read_curve, read_samples
from blip_core.store import ArtifactRef
from blip_core.tracking.runs import JournalledRun
from flows.recording import SAMPLES as SAMPLES_TABLE
from flows.recording import Recorder, StageRecord
from flows.results.drawn_once import drawn_once
from tasks.stage import metadata_of, path_of
from tasks.tune_adapter import REMEMBERED

MANIFEST_TABLE = "manifest.json"
QUARANTINED_TABLE = "quarantined.json"
_COUNTED = ("cut_texts", "quarantined", "padded_share", "tokens", "skipped_steps", "vision_forwards")
_SUMMED_UP = (
    "steps",
    "trainable",
    "first_loss",
    "last_loss",
    "best_validation_loss",
    "best_step",
    REMEMBERED,
)
_COUNTS_SUMMED_UP = ("cut_texts", "quarantined", "padded_share", "skipped_steps")

TUNING = "finetune"

Curve = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Learning:
    """Metrics by step, what the model said of a few rows on the way, and the figure of the metrics."""

    curve: Curve = field(default_factory=list)
    watched: list[dict[str, Any]] = field(default_factory=list)
    drawn: list[Path] = field(default_factory=list)


def keep_learning(recorder: Recorder, folder: Path, adapter: ArtifactRef, stage: str = TUNING) -> Learning:
    """Keep in MLflow how an adapter learnt in a stage, whether it did so in this run or before."""
    rests, told = path_of(adapter), metadata_of(adapter)
    curve, watched = read_curve(rests / CURVE), read_samples(rests / SAMPLES)
    child = recorder.children.get(stage, recorder.run)
    for row in _not_told_yet(recorder.stages.get(stage), curve, told):
        recorder.replay_step(child, row)
    child.artifact(rests / CURVE)
    drawn = _drawn(recorder, folder, adapter, curve)
    for run in recorder.runs_of(stage):
        for picture in drawn:
            run.artifact(picture)
    child.metrics(training_facts(told))
    child.tags({"foundry.device": told["device_name"]} if "device_name" in told else {})
    _keep_tables(child, watched, told)
    return Learning(curve, watched, drawn)


def _drawn(recorder: Recorder, folder: Path, adapter: ArtifactRef, curve: Curve) -> list[Path]:
    if not curve:
        return []
    return drawn_once(
        recorder.place.store, {"adapter": adapter.digest}, folder, lambda made: draw_learning(curve, made)
    )


def training_facts(told: Mapping[str, Any]) -> dict[str, float]:
    """What was counted of a tuning, as metrics; what its adapter does not tell is left out."""
    counts = told.get("counts", {})
    facts = {f"train/{name}": float(counts[name]) for name in _COUNTED if name in counts}
    facts |= {"train/trainable": float(told["trainable"])}
    if told.get("rows_per_second") is not None:
        facts["train/rows_per_second"] = told["rows_per_second"]
    return facts


def training_summary(told: Mapping[str, Any]) -> dict[str, Any]:
    """What programs are told of a tuning: the same however often it was interrupted."""
    counts = told.get("counts", {})
    return {name: told[name] for name in _SUMMED_UP if name in told} | {
        name: counts[name] for name in _COUNTS_SUMMED_UP if name in counts
    }


def _not_told_yet(tuning: StageRecord | None, curve: Curve, told: Mapping[str, Any]) -> Curve:
    """Steps that another run took: all of them, or those before the checkpoint that this one went on from."""
    if tuning is None or tuning.cached:
        return curve
    resumed_at = told.get("counts", {}).get("resumed_at")
    return [row for row in curve if resumed_at is not None and row["step"] <= resumed_at]


def _keep_tables(run: JournalledRun, watched: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> None:
    tables: dict[str, Sequence[Mapping[str, Any]]] = {
        SAMPLES_TABLE: watched,
        MANIFEST_TABLE: told.get("manifest", []),
        QUARANTINED_TABLE: told.get("quarantined", []),
    }
    for name, rows in tables.items():
        if rows:
            run.table(rows, name)
