"""The figures of a run as files, each drawn once: for its page and for MLflow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core import figures
from blip_core.reporting import charts, tables
from blip_core.reporting.ladder import Ladder

LADDER, DIFFERENCES, RELIABILITY, LOSS = FIGURES = (
    "ladder.svg",
    "differences.svg",
    "reliability.svg",
    "loss.svg",
)


def draw_scores(ladder: Ladder, scores: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what was scored; a figure for which there is nothing is left out.

    Args:
        ladder: the variants side by side.
        scores: the JSON object that it came from.
        folder: where to.
    """
    drawn = []
    if ladder.scores:
        path = folder / LADDER
        drawn.append(figures.ladder(ladder.scores, path, ladder.chance, ladder.axis, ladder.unit))
    if ladder.comparisons:
        drawn.append(charts.differences(ladder.comparisons, folder / DIFFERENCES, ladder.differs_in))
    calibrations = tables.calibrations(scores)
    if calibrations:
        drawn.append(charts.reliability(calibrations, folder / RELIABILITY))
    return drawn


def draw_learning(curve: Sequence[Mapping[str, float]], folder: Path) -> list[Path]:
    """Draw how a model learnt, from rows of its loss curve; nothing where there are none."""
    return [figures.loss_curve(curve, folder / LOSS)] if curve else []
