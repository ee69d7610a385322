"""How fast stages were when somebody ran them: on this machine, by its journals, or elsewhere, by a table.

A rate is only taken from a run whose settings were the same in all that decides the speed of the stage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from blip_core.errors import TableError, TrackingError
from blip_core.planning.stages import SHARED_OUT
from blip_core.recipes import Device, Recipe
from blip_core.store import Artifact, Store
from blip_core.tracking.journal import Entry, journals, read_journal

Origin = Literal["measured here", "measured elsewhere"]
MEASURED_ELSEWHERE: Origin = "measured elsewhere"

_MODEL = ("id", "revision", "file", "dtype")
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "scenes": (
        *(f"scenes.model.{name}" for name in _MODEL),
        *("scenes.per_call", "scenes.batch_size", "scenes.max_new_tokens"),
    ),
    "pictures": (
        *(f"pictures.model.{name}" for name in _MODEL),
        *("source.kind", "pictures.width_px", "pictures.height_px", "pictures.steps"),
        *("pictures.guidance_scale", "pictures.batch_size"),
    ),
    "labels": (
        *(f"labels.model.{name}" for name in _MODEL),
        *("labels.batch_size", "labels.max_new_tokens"),
    ),
    "finetune": (
        *(f"finetune.base.{name}" for name in _MODEL),
        *(f"finetune.adapter.{name}" for name in ("preset", "pattern", "full", "r")),
        *("finetune.quantisation", "finetune.batch_size", "finetune.micro_batch_size"),
        *("finetune.gradient_checkpointing", "finetune.features", "finetune.max_text_tokens"),
        "device.processes",
    ),
    "predict": (
        *("stages", "inference.max_new_tokens", "inference.batch_size", "inference.quantisation"),
        *("inference.beams", "inference.circular", "inference.ablations", "inference.dense"),
        *("inference.free_generation", "baseline.id", "finetune.base.id"),
    ),
}
_EVERYWHERE = ("device.kind", "device.threads")
_WORKERS = ("device.executor", "device.workers")  # share cores; those of GPUs have one each


@dataclass(frozen=True, slots=True)
class Rate:
    """Rows a second that a stage was seen to work.

    Attributes:
        stage: its name; of tuning, the rows of all epochs count.
        rows_per_second: on one device.
        origin: where it was measured.
        date: of the run, as 2026-11-30.
        device: name of what it ran on; empty where nobody wrote it down.
        settings: that decide the speed, as `_SETTINGS` names them.
    """

    stage: str
    rows_per_second: float
    origin: Origin
    date: str
    device: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


class _Measured(BaseModel):
    """A rate in a file, as a report on a GPU writes it."""

    stage: Annotated[str, Field(min_length=1)]
    rows_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    settings: dict[str, str]


class _Table(BaseModel):
    """A file of rates: all of one device and day."""

    format: Literal[1]
    device: Annotated[str, Field(min_length=1)]
    date: date
    rates: list[_Measured]


def read_rates(path: Path) -> list[Rate]:
    """Rates that somebody measured on another machine, as `rates.json` of a report on a GPU has them.

    Raises:
        TableError: The file cannot be read, or is no such table.
    """
    try:
        table = _Table.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TableError(f"the rates in {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise TableError(
            f"{path} holds no rates: {place}: {first['msg']}; wanted is the rates.json of a report on a GPU"
        ) from error
    return [
        Rate(
            one.stage,
            one.rows_per_second,
            MEASURED_ELSEWHERE,
            table.date.isoformat(),
            table.device,
            one.settings,
        )
        for one in table.rates
    ]


def known_rate(
    stage: str, recipe: Recipe, here: Sequence[Rate], elsewhere: Sequence[Rate] = ()
) -> Rate | None:
    """The rate that fits a stage of a recipe: this machine's before any other, of several the slowest.

    A run that went on after a kill looks faster than it was; the slowest is the safest to promise.
    """
    if stage.partition(" ")[0] not in _SETTINGS:
        return None
    wanted = deciding(stage, settings_of(recipe))
    for rates in (here, elsewhere):
        fitting = [rate for rate in rates if rate.stage == stage and rate.settings == wanted]
        if fitting:
            return min(fitting, key=lambda rate: rate.rows_per_second)
    return None


def rates_here(journal: Path, store: Store) -> list[Rate]:
    """What the journals of this machine say of stages that were worked, not taken from the store."""
    runs = {path.stem: entries for path in journals(journal) if (entries := _read(path))}
    artifacts = {artifact.key: artifact for artifact in store.artifacts()} if runs else {}
    return [rate for run in runs.values() for rate in _rates(run, runs, artifacts)]


def deciding(stage: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Those of all settings that decide how fast a stage is."""
    group = stage.partition(" ")[0]
    on_gpu = settings.get("device.kind") == "cuda"
    names = _SETTINGS[group] + _EVERYWHERE + (() if on_gpu or group not in SHARED_OUT else _WORKERS)
    return {name: settings[name] for name in names if name in settings}


def settings_of(recipe: Recipe) -> dict[str, str]:
    """A recipe's settings by their paths, as text, as a run's parameters are kept."""
    return dict(_flat(recipe.model_dump(mode="json", exclude={"variants"}), ""))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def _read(path: Path) -> list[Entry]:
    try:
        return read_journal(path)
    except (OSError, TrackingError):  # a plan does without; whoever replays the journal says what is wrong
        return []


def _rates(
    run: Sequence[Entry], runs: Mapping[str, Sequence[Entry]], artifacts: Mapping[str, Artifact]
) -> Iterator[Rate]:
    """The rate of one stage's run: none where it was cached, failed, or its recipe is not known.

    A stage that timed itself is believed; of others the whole stage counts, loading the model included.
    """
    start = run[0].data
    tags = dict(start.get("tags", {})) | _joined(run, "tags")
    metrics = _joined(run, "metrics")
    stage = tags.get("foundry.stage", "")
    known = stage.partition(" ")[0] in _SETTINGS
    settings = _joined(runs.get(start.get("parent", ""), ()), "params")
    seconds = float(metrics.get("stage/seconds", 0.0))
    if not known or tags.get("foundry.cached") != "false" or seconds <= 0 or not settings:
        return
    artifact = artifacts.get(tags.get("foundry.key", ""))
    said = artifact.metadata if artifact else {}
    per_second = said.get("rows_per_second") or _rows_worked(stage, metrics, settings, said) / seconds
    per_second /= _sharing(stage, settings)
    device = str(said.get("device_name", ""))
    day = datetime.fromtimestamp(run[0].time_ms / 1000, UTC).date().isoformat()
    if per_second > 0:
        yield Rate(stage, float(per_second), "measured here", day, device, deciding(stage, settings))


def _sharing(stage: str, settings: Mapping[str, str]) -> int:
    """GPUs that a stage's rows were shared out among."""
    if settings.get("device.kind") != "cuda" or stage.partition(" ")[0] not in SHARED_OUT:
        return 1
    executor, workers = settings.get("device.executor", "serial"), settings.get("device.workers", "0")
    return Device.model_validate({"executor": executor, "workers": int(workers)}).sharing


def _rows_worked(
    stage: str, metrics: Mapping[str, Any], settings: Mapping[str, str], said: Mapping[str, Any]
) -> float:
    """Rows that were asked for, where the artefact says it; of tuning, the rows of all epochs."""
    rows = float(metrics.get("stage/rows", 0.0))
    if stage == "finetune":
        return rows * float(settings.get("finetune.epochs", 1.0))
    return float(said.get("asked", rows))


def _joined(run: Sequence[Entry], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in run:
        if entry.kind == kind:
            found |= entry.data["values"]
    return found
