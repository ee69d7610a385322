"""The loss curve and the ladder of scores, from plain rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blip_core.figures.style import BLUE, GREEN, INK, ORANGE, PURPLE, dress, new_axes, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANCE = 0.25  # of four letters

_SMOOTHED_SHARE = 0.1  # of all steps that one point of the smoothed curve looks back on

PROBE = "probe/"
"""What the columns of probes begin with in the rows of a loss curve."""
_PROBE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Panel:
    name: str
    label: str
    colour: str
    is_noisy: bool


_CURVE_PANELS = (
    _Panel("learning_rate", "learning\nrate", GREEN, is_noisy=False),
    _Panel("grad_norm", "gradient\nnorm", PURPLE, is_noisy=True),
)


@dataclass(frozen=True, slots=True)
class Score:
    """One bar of the ladder: an accuracy from 0 to 1 with the ends of its 95 % interval, over `n` answers."""

    name: str
    value: float
    low: float
    high: float
    n: int


def loss_curve(rows: Sequence[Mapping[str, float]], path: Path) -> Path:
    """Draw how a model learnt: training and validation loss, learning rate and gradient norm over the steps.

    The suffix of `path` names the format; a panel is left out where no row has anything for it.

    Args:
        rows: `step` with any of `loss`, `validation_loss`, `learning_rate`, `grad_norm` and `probe/NAME`, in
            order of their steps.
        path: where to, such as `loss.svg`.

    Raises:
        ValueError: when no row has a loss.
    """
    training, validation = _series(rows, "loss"), _series(rows, "validation_loss")
    if not training and not validation:
        raise ValueError("the rows of a loss curve need `loss` or `validation_loss`; none has either")
    below = [panel for panel in _CURVE_PANELS if _series(rows, panel.name)]
    probes = dict.fromkeys(name for row in rows for name in row if name.startswith(PROBE))
    heights = [4.0, *[2.2] * bool(probes), *[1.4] * len(below)]
    figure = new_figure(7.2, sum(heights))
    first, *others = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    dress(first)
    _draw_losses(first, training, validation)
    if probes:
        dress(others[0])
        _draw_probes(others.pop(0), {name: _series(rows, name) for name in probes})
    for axes, panel in zip(others, below, strict=True):
        dress(axes)
        _draw_panel(axes, panel, _series(rows, panel.name))
    [first, *others][-1].set_xlabel("optimiser step")
    figure.align_ylabels()
    return save(figure, path)


def ladder(
    scores: Sequence[Score],
    path: Path,
    chance: float | None = CHANCE,
    label: str = "right answers (%), letters ranked",
    unit: str = " %",
) -> Path:
    """Draw accuracies with their 95 % intervals, first score on top; the suffix names the format.

    Args:
        scores: one a variant.
        path: where to, such as `ladder.svg`.
        chance: accuracy of guessing, drawn as a line; None where there is no such thing.
        label: what the values are.
        unit: written behind each; where it is not per cent, the axis ends where the values do.

    Raises:
        ValueError: when there are no scores.
    """
    if not scores:
        raise ValueError("a ladder needs at least one score")
    figure, axes = new_axes(7.2, 1.3 + 0.62 * len(scores))
    for place, score in enumerate(scores):
        colour = ORANGE if place == len(scores) - 1 and len(scores) > 1 else BLUE
        below, above = 100 * (score.value - score.low), 100 * (score.high - score.value)
        axes.barh(place, 100 * score.value, height=0.56, color=colour, alpha=0.88)
        axes.errorbar(100 * score.value, place, xerr=[[below], [above]], color=INK, capsize=4, linewidth=1.4)
        axes.annotate(
            f"{100 * score.value:.1f}{unit}",
            (100 * score.high, place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    axes.set_yticks(range(len(scores)), [score.name for score in scores])
    axes.invert_yaxis()
    if unit == " %":
        axes.set_xlim(0, 108)
        axes.set_xticks(range(0, 101, 20))
    else:
        axes.set_xlim(0, 125 * max(score.high for score in scores) or 1)  # room for the figures
    axes.set_xlabel(f"{label}, n = {_counts(scores)}; whiskers: 95 % intervals")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    if chance is not None:
        axes.axvline(100 * chance, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.annotate(
            "chance",
            (100 * chance, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
        )
    return save(figure, path)


def _series(rows: Sequence[Mapping[str, float]], name: str) -> Points:
    return [(row["step"], row[name]) for row in rows if name in row]


def _draw_losses(axes: "Axes", training: Points, validation: Points) -> None:
    if training:
        window = _draw_smoothed(axes, training, BLUE)
        axes.plot([], [], color=BLUE, linewidth=2, label=f"training (mean of {window} steps)")
    if validation:
        steps, losses = zip(*validation, strict=True)
        axes.plot(steps, losses, color=ORANGE, linewidth=2, marker="o", markersize=5, label="validation")
        last = (steps[-1], losses[-1])
        axes.annotate(f"{losses[-1]:.2f}", last, xytext=(7, 4), textcoords="offset points", color=ORANGE)
    axes.set_ylabel("cross-entropy\n(nats a token)")
    axes.set_ylim(bottom=0)
    axes.set_title("Loss while the adapter is tuned", loc="left", fontweight="bold")
    axes.legend(frameon=False)


def _draw_probes(axes: "Axes", probes: Mapping[str, Points]) -> None:
    """What is left of each probe, in per cent of what it scored first: measures of any unit share that."""
    for place, (name, points) in enumerate(probes.items()):
        steps, values = zip(*points, strict=True)
        first = values[0] or 1.0
        kept = [100 * value / first for value in values]
        colour = _PROBE_COLOURS[place % len(_PROBE_COLOURS)]
        label = f"{name.removeprefix(PROBE)} ({values[0]:.3g} at first, {values[-1]:.3g} at last)"
        axes.plot(steps, kept, color=colour, linewidth=2, marker="o", markersize=4, label=label)
    axes.set_ylabel("probes, %\nof the first")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)


def _draw_panel(axes: "Axes", panel: _Panel, points: Points) -> None:
    if panel.is_noisy:
        _draw_smoothed(axes, points, panel.colour)
    else:
        axes.plot(*zip(*points, strict=True), color=panel.colour, linewidth=2)
    axes.set_ylabel(panel.label)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)


def _draw_smoothed(axes: "Axes", points: Points, colour: str) -> int:
    """Draw values pale and their running mean bold; gives how many steps the mean looks back on."""
    steps, values = zip(*points, strict=True)
    window = max(round(len(values) * _SMOOTHED_SHARE), 1)
    axes.plot(steps, values, color=colour, linewidth=0.9, alpha=0.3)
    smooth = [sum(values[max(end - window, 0) : end]) / min(window, end) for end in range(1, len(values) + 1)]
    axes.plot(steps, smooth, color=colour, linewidth=2)
    return window


def _counts(scores: Sequence[Score]) -> str:
    counts = sorted({score.n for score in scores})
    return ", ".join(f"{count:,}" for count in counts)
