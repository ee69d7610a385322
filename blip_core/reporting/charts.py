"""Figures of a comparison: differences with their intervals, and how far probabilities hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from blip_core.figures import BLUE, GREY, INK, dress, new_axes, new_figure, save
from blip_core.scoring import Bin, Calibration, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS_A_ROW = 3
_PANEL_INCHES = 2.4
_LARGEST_DOT = 260  # square points, for a bin that holds every answer
_SMALLEST_DOT = 9
_DASHES = (0, (4, 3))


def differences(comparisons: Sequence[Comparison], path: Path, what: str = "right answers (points)") -> Path:
    """Draw what each comparison gains or loses, with its 95 % interval; the suffix names the format.

    Args:
        comparisons: first on top; those that are significant stand out.
        path: where to, such as `differences.svg`.
        what: what is gained.

    Raises:
        ValueError: when there are none.
    """
    if not comparisons:
        raise ValueError("a figure of differences needs at least one comparison")
    figure, axes = new_axes(7.2, 1.2 + 0.5 * len(comparisons))
    axes.axvline(0, color=INK, linestyle=_DASHES, linewidth=1.2)
    for place, one in enumerate(comparisons):
        _draw_difference(axes, place, one)
    axes.set_yticks(range(len(comparisons)), [f"{one.b} against {one.a}" for one in comparisons])
    axes.set_ylim(len(comparisons) - 0.4, -0.6)  # first on top
    axes.margins(x=0.1)
    axes.set_xlabel(f"gain in {what}, same rows; whiskers: 95 % intervals")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    return save(figure, path)


def reliability(calibrations: Mapping[str, Calibration], path: Path) -> Path:
    """Draw a panel a variant: how often it is right against how sure it is; the suffix names the format.

    The area of a dot is the share of the answers that are so sure; a well calibrated model's dots lie on the
    diagonal, those of one that is too sure of itself below.

    Args:
        calibrations: by name of the variant.
        path: where to, such as `reliability.svg`.

    Raises:
        ValueError: when there are none.
    """
    if not calibrations:
        raise ValueError("a figure of reliability needs at least one variant")
    columns = min(len(calibrations), _PANELS_A_ROW)
    rows = -(-len(calibrations) // columns)
    figure = new_figure(_PANEL_INCHES * max(columns, 2), (_PANEL_INCHES + 0.4) * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (name, found) in zip(panels, calibrations.items(), strict=False):
        dress(axes)
        _draw_reliability(axes, name, found)
    for axes in list(panels)[len(calibrations) :]:
        axes.set_axis_off()
    figure.supxlabel("probability of the chosen option (%)", fontsize="medium")
    figure.supylabel("right answers (%)", fontsize="medium")
    return save(figure, path)


def _draw_difference(axes: "Axes", place: int, one: Comparison) -> None:
    colour = BLUE if one.is_significant else GREY
    points = 100 * one.difference
    whiskers = [[max(points - 100 * one.low, 0)], [max(100 * one.high - points, 0)]]
    axes.errorbar(points, place, xerr=whiskers, fmt="o", color=colour, capsize=4, linewidth=1.8, markersize=7)
    axes.annotate(
        f"{points:+.1f}", (points, place), xytext=(0, 7), textcoords="offset points", ha="center", color=INK
    )


def _draw_reliability(axes: "Axes", name: str, found: Calibration) -> None:
    axes.plot((0, 100), (0, 100), color=INK, linestyle=_DASHES, linewidth=1.0)
    answers = sum(one.n for one in found.bins)
    sure, right = [100 * one.confidence for one in found.bins], [100 * one.accuracy for one in found.bins]
    areas = [_dot(one, answers) for one in found.bins]
    axes.plot(sure, right, color=BLUE, linewidth=1.0, alpha=0.35)
    axes.scatter(sure, right, s=areas, color=BLUE, alpha=0.85, linewidth=0, clip_on=False)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xticks(range(0, 101, 25))
    axes.set_yticks(range(0, 101, 25))
    axes.set_aspect("equal")
    axes.set_title(f"{name}\nerror {100 * found.ece:.1f} points", loc="left", fontsize="medium")


def _dot(one: Bin, answers: int) -> float:
    return max(_LARGEST_DOT * one.n / answers, _SMALLEST_DOT)
