"""Files that tell how an adapter learnt: metrics by step, and what it said of a few rows on the way."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core import figures, strict_json

CURVE = "curve.csv"
SAMPLES = "samples.jsonl"
PROBE = figures.PROBE


def read_curve(path: Path) -> list[dict[str, float]]:
    """Metrics by step; a step holds only what was measured then."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]


def write_curve(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write metrics by step; what a step did not measure stays empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_samples(path: Path) -> list[dict[str, Any]]:
    """What the model said of a few rows after every epoch; none where the adapter has none with it."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [strict_json.loads(line) for line in file]


def write_samples(path: Path, samples: Sequence[Mapping[str, Any]]) -> None:
    """Write what the model said, a JSON object a line."""
    lines = [strict_json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples]
    path.write_text("".join(lines), encoding="utf-8")


def training_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """Metrics of a training step as MLflow calls them in all runs: `train/...`, `eval/...`, `probe/NAME`."""
    return {_metric_name(name): value for name, value in values.items() if name != "step"}


def _metric_name(name: str) -> str:
    if name.startswith(PROBE):
        return name
    bare = name.removeprefix("validation_")
    return f"train/{name}" if bare == name else f"eval/{bare}"
