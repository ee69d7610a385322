"""Stage 5: an adapter is tuned on the dataset."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core.dataset import read_split
from blip_core.recipes import Recipe
from blip_core.store import ArtifactRef
from blip_core.wiring import checkpoint_identity, inference_settings, load_base, workplace
from tasks.stage import path_of, stage, watcher

VERSION = 1
STEPS_SHOWN_ONE_IN = 10  # one batch says little: the loss told is the mean of a tenth of the steps
ADAPTER = "adapter"
CURVE = "curve.csv"


def key(recipe: Recipe, dataset: ArtifactRef) -> str:
    prompts = inference_settings(recipe)
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("finetune", "seed", "task", "stages"),
        "prompts": [prompts.describe_prompt, prompts.answer_prompt],
        "dataset": dataset.digest,
        "base": checkpoint_identity(recipe.finetune.base),
    }
    return workplace().store.key("adapter", inputs)


@stage("finetune", key)
def tune_adapter(recipe: Recipe, dataset: ArtifactRef) -> ArtifactRef:
    """Tune an adapter on the training rows, watched on the validation rows."""

    def build(folder: Path) -> dict[str, Any]:
        from blip_core.training import finetune

        rows = path_of(dataset)
        train, validation = read_split(rows, "train"), read_split(rows, "validation")
        prompts = inference_settings(recipe)
        bundle = load_base(recipe)
        report = _report(recipe, len(train))
        result = finetune(
            bundle, train, validation, recipe.finetune, prompts, recipe.seed, folder / ADAPTER, report
        )
        _write_curve(folder / CURVE, result.curve)
        losses = [row["loss"] for row in result.curve if "loss" in row]
        shown = max(1, len(losses) // STEPS_SHOWN_ONE_IN)
        return {
            "rows": len(train),
            "steps": result.steps,
            "trainable": result.trainable,
            "first_loss": _mean(losses[:shown]),
            "last_loss": _mean(losses[-shown:]),
            "best_validation_loss": result.best_validation_loss,
            "best_step": result.best_step,
            "recipe": recipe.name,
            "base": recipe.finetune.base.id,
            "model": checkpoint_identity(recipe.finetune.base),
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "finetune"}),
            "made_from": {"dataset": dataset.key},
        }

    return workplace().store.publish(key(recipe, dataset), "adapter", build).ref()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def read_curve(path: Path) -> list[dict[str, float]]:
    """Metrics by step; a step holds only what was measured then."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]


def _write_curve(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _report(recipe: Recipe, rows: int) -> Any:
    batches = -(-rows // recipe.finetune.batch_size)
    steps = max(1, round(recipe.finetune.epochs * batches))

    def on_step(step: int, metrics: Mapping[str, float]) -> None:
        watcher().progress(min(step, steps), steps)
        watcher().metrics(metrics, step)

    return on_step
