"""Figures from plain rows: the picture sheet, the loss curve and the ladder of scores.

Drawn through matplotlib's objects, never through `pyplot`, whose figures belong to the whole process.
Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY, INK = "#8A8F98", "#22262B"
CHANCE = 0.25  # of four letters

_THUMBNAIL_PX = 192
_MARGIN_PX = 14
_CAPTION_PX = 14
_CAPTION_LINES = 5
_LINE_PX = 18
_PAPER = "#FAFAF8"
_SMOOTHED_SHARE = 0.1  # of all steps that one point of the smoothed curve looks back on
_DOTS_PER_INCH = 150

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


def contact_sheet(pictures: Sequence[bytes], captions: Sequence[str], columns: int = 5) -> Image.Image:
    """Lay encoded pictures out in a grid, each above its caption.

    Small pictures are enlarged pixel by pixel, large ones reduced, so that every one is about 192 px wide.
    A caption keeps its own line breaks, is wrapped, and ends in an ellipsis after five lines.

    Raises:
        ValueError: when there are no pictures, or not as many captions.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError(
            f"a sheet needs a caption a picture; got {len(pictures)} pictures, {len(captions)} captions"
        )
    columns = min(columns, len(pictures))
    font = ImageFont.load_default(_CAPTION_PX)
    thumbnails = [_thumbnail(picture) for picture in pictures]
    texts = [_wrap(caption, font) for caption in captions]
    cell_px = _THUMBNAIL_PX + _MARGIN_PX
    rows = [range(start, min(start + columns, len(pictures))) for start in range(0, len(pictures), columns)]
    heights = [_row_height(row, thumbnails, texts) for row in rows]
    sheet = Image.new("RGB", (columns * cell_px + _MARGIN_PX, sum(heights) + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN_PX
    for row, height in zip(rows, heights, strict=True):
        for column, index in enumerate(row):
            left = _MARGIN_PX + column * cell_px
            _draw_cell(sheet, draw, (left, top), thumbnails[index], texts[index], font)
        top += height
    return sheet


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


def _thumbnail(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "WEBP")).convert("RGB")
    factor = _THUMBNAIL_PX / max(image.size)
    if factor >= 1:
        whole = max(int(factor), 1)  # whole multiples keep every pixel square
        return image.resize((image.width * whole, image.height * whole), Image.Resampling.NEAREST)
    size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
    return image.resize(size, Image.Resampling.LANCZOS)


def _wrap(caption: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> list[str]:
    lines = [line for part in caption.splitlines() for line in _wrap_line(part, font)]
    if len(lines) <= _CAPTION_LINES:
        return lines
    last = lines[_CAPTION_LINES - 1]
    while last and font.getlength(last + "…") > _THUMBNAIL_PX:
        last = last[:-1]
    return [*lines[: _CAPTION_LINES - 1], last.rstrip() + "…"]


def _wrap_line(text: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= _THUMBNAIL_PX:
            lines[-1] = longer
            continue
        head, *rest = _break_word(word, font)
        lines = [*(line for line in lines if line), head, *rest]
    return lines


def _break_word(word: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> list[str]:
    pieces = [""]
    for letter in word:
        if font.getlength(pieces[-1] + letter) > _THUMBNAIL_PX:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _row_height(row: range, thumbnails: Sequence[Image.Image], texts: Sequence[Sequence[str]]) -> int:
    picture_px = max(thumbnails[index].height for index in row)
    text_px = _LINE_PX * max(len(texts[index]) for index in row)
    return picture_px + text_px + 2 * _MARGIN_PX


def _draw_cell(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    thumbnail: Image.Image,
    lines: Sequence[str],
    font: "ImageFont.FreeTypeFont | ImageFont.ImageFont",
) -> None:
    left, top = corner
    sheet.paste(thumbnail, corner)
    for number, line in enumerate(lines):
        position = (left, top + thumbnail.height + _MARGIN_PX // 2 + number * _LINE_PX)
        draw.text(position, line, font=font, fill=INK)


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


def _settle(figure: "Figure") -> None:
    """Give the panels their places, once; left to itself `savefig` draws all of a figure twice for that."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _counts(scores: Sequence[Score]) -> str:
    counts = sorted({score.n for score in scores})
    return ", ".join(f"{count:,}" for count in counts)


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure in the format that the suffix of `path` names; equal figures give equal files."""
    from matplotlib import rc_context

    _settle(figure)

    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with rc_context({"svg.hashsalt": path.name}):  # with no date and a fixed salt equal rows give equal files
        figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=metadata)
    return path
