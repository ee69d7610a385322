"""How CPU seconds of every stage grow with its rows: drawn from results, equal ones to equal bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

from blip_core.figures import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, dress, new_figure, save
from tests.benchmarks import measuring
from tests.benchmarks.processors import ENTRIES, Entry, kind_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "growth.svg"
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY, INK, "#E69F00")  # the last is Okabe and Ito's orange
_WIDTH_IN, _HEIGHT_IN = 8.0, 3.6


def draw(folder: Path = measuring.RESULTS) -> Path:
    """Draw the results in a folder beside them: a panel a kind of processor.

    Raises:
        ValueError: Nothing was measured.
    """
    entries = measuring.read(folder / "growth.json").get(ENTRIES, ())
    if not entries:
        raise ValueError(f"there is nothing to draw in {folder / 'growth.json'}")
    figure = new_figure(_WIDTH_IN, _HEIGHT_IN * len(entries))
    for axes, entry in zip(figure.subplots(len(entries), 1, squeeze=False)[:, 0], entries, strict=True):
        dress(axes)
        _draw_stages(axes, entry)
    return save(figure, folder / NAME)


def _draw_stages(axes: "Axes", entry: Entry) -> None:
    for colour, (stage, one) in zip(_COLOURS, entry["stages"].items(), strict=False):
        rows, seconds = ([point[name] for point in one["points"]] for name in ("rows", "cpu_seconds"))
        label = f"{stage}: rows to the {one['exponent']:.2f}"
        axes.plot(rows, seconds, color=colour, marker="o", markersize=4, linewidth=1.8, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rows")
    axes.set_ylabel("CPU seconds, models loaded")
    axes.set_title(kind_of(entry), loc="left", fontsize=9, fontweight="bold")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))


if __name__ == "__main__":
    draw()
