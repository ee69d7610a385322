"""The style that all figures share, and how they are written.

Drawn through matplotlib's objects, never through `pyplot`, whose figures belong to the whole process.
Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY, INK = "#8A8F98", "#22262B"
_DOTS_PER_INCH = 150


def new_axes(width_in: float, height_in: float) -> "tuple[Figure, Axes]":
    """A figure of one panel in the style that all share."""
    figure = new_figure(width_in, height_in)
    axes = figure.add_subplot()
    dress(axes)
    return figure, axes


def new_figure(width_in: float, height_in: float) -> "Figure":
    """A figure that belongs to nobody but its caller."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(width_in, height_in), dpi=_DOTS_PER_INCH, layout="constrained", facecolor="white"
    )
    FigureCanvasAgg(figure)
    return figure


def dress(axes: "Axes") -> None:
    """Give a panel the style that all share."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK)
    axes.grid(color="#E4E6EA", linewidth=0.8)
    axes.set_axisbelow(True)


def _settle(figure: "Figure") -> None:
    """Give the panels their places, once; left to itself `savefig` draws all of a figure twice for that."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure in the format that the suffix of `path` names; equal figures give equal files."""
    from matplotlib import rc_context

    _settle(figure)

    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with rc_context({"svg.hashsalt": path.name}):  # with no date and a fixed salt equal rows give equal files
        figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=metadata)
    return path
