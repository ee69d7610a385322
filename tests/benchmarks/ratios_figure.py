"""The figure that docs/benchmarks opens with: our ratios by processor, and what each step brings.

Drawn from the results on file; equal results give equal bytes. `python -m tests.benchmarks.ratios_figure`
draws it anew, and so does every benchmark that writes results.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.figures import BLUE, GREEN, INK, ORANGE, PURPLE, dress, new_figure, save
from tests.benchmarks import measuring
from tests.benchmarks.processors import ENTRIES, Entry, kind_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "ratios.svg"
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
_SOURCES = ("finetune", "inference", "dataset")
_WIDTH_IN, _ROW_IN, _FRAME_IN = 8.0, 0.2, 0.75


@dataclass(frozen=True, slots=True)
class Bar:
    """One ratio: what is compared, on what kind of processor, with the ends of its pairs where known."""

    what: str
    processor: str
    median: float
    low: float | None = None
    high: float | None = None


def ratios(results: Mapping[str, Mapping[str, Any]]) -> list[Bar]:
    """All ratios on file, by what is compared."""
    return [
        *_bars(results, "finetune", "ratio_cpu", "tuning"),
        *_bars(results, "finetune", "ratio_cpu_published_shares", "tuning, published proportions"),
        *_bars_within(results, "inference", "answering "),
        *_bars_within(results, "dataset", ""),
    ]


def ladders(results: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Bar]]:
    """What each step brings, by what is compared: ratios of each rung with all those before it."""
    found: dict[str, list[Bar]] = {"tuning, step by step": [], "answering, step by step": []}
    for entry in _entries(results, "finetune"):
        found["tuning, step by step"] += _rungs(entry, entry.get("ablation", ()))
    for entry in _entries(results, "inference"):
        found["answering, step by step"] += _rungs(entry, entry.get("ablation", {}).get("ladder", ()))
    return {title: bars for title, bars in found.items() if bars}


def _entries(results: Mapping[str, Mapping[str, Any]], name: str) -> Sequence[Entry]:
    return results.get(name, {}).get(ENTRIES, ())


def _bars(results: Mapping[str, Mapping[str, Any]], name: str, key: str, what: str) -> Iterator[Bar]:
    for entry in _entries(results, name):
        yield _bar(what, entry, entry[key])


def _bars_within(results: Mapping[str, Mapping[str, Any]], name: str, before: str) -> Iterator[Bar]:
    for entry in _entries(results, name):
        for case, ratio in entry["ratio_cpu"].items():
            yield _bar(before + case, entry, ratio)


def _bar(what: str, entry: Entry, ratio: Mapping[str, Any]) -> Bar:
    return Bar(what, kind_of(entry), ratio["median"], ratio.get("low"), ratio.get("high"))


def _rungs(entry: Entry, ladder: Sequence[Mapping[str, Any]]) -> list[Bar]:
    return [Bar(rung["what"].replace("`", ""), kind_of(entry), rung["ratio_cpu"]) for rung in ladder]


def draw(folder: Path = measuring.RESULTS) -> Path:
    """Draw the results in a folder beside them."""
    results = {name: measuring.read(folder / f"{name}.json") for name in _SOURCES}
    panels = {"times the rows a CPU second of the row-by-row way, one thread": ratios(results)}
    panels |= ladders(results)
    kinds = list(dict.fromkeys(bar.processor for bars in panels.values() for bar in bars))
    colours = {kind: _COLOURS[place % len(_COLOURS)] for place, kind in enumerate(kinds)}
    heights = [_FRAME_IN + _ROW_IN * _rows_of(bars) for bars in panels.values()]
    figure = new_figure(_WIDTH_IN, sum(heights))
    places = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, bars) in zip(places, panels.items(), strict=True):
        dress(axes)
        _draw_panel(axes, title, bars, colours)
    handles, names = places[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return save(figure, folder / NAME)


def _rows_of(bars: Sequence[Bar]) -> int:
    """A row a bar, and one between what is compared."""
    return len(bars) + len({bar.what for bar in bars})


def _draw_panel(axes: "Axes", title: str, bars: Sequence[Bar], colours: Mapping[str, str]) -> None:
    names, centres, at = [], [], 0.0
    for what in dict.fromkeys(bar.what for bar in bars):
        own = [bar for bar in bars if bar.what == what]
        for place, bar in enumerate(own):
            _draw_bar(axes, at + place, bar, colours[bar.processor])
        names.append(what)
        centres.append(at + (len(own) - 1) / 2)
        at += len(own) + 1
    axes.set_yticks(centres, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(bar.high or bar.median for bar in bars))
    axes.axvline(1, color=INK, linestyle=(0, (4, 3)), linewidth=1)
    axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)


def _draw_bar(axes: "Axes", place: float, bar: Bar, colour: str) -> None:
    label = bar.processor if bar.processor not in axes.get_legend_handles_labels()[1] else None
    axes.barh(place, bar.median, height=0.8, color=colour, alpha=0.88, label=label)
    low, high = bar.low or bar.median, bar.high or bar.median
    if high > low:
        whiskers = [[max(bar.median - low, 0)], [max(high - bar.median, 0)]]
        axes.errorbar(bar.median, place, xerr=whiskers, color=INK, capsize=2, linewidth=1)
    text, beside = f"{bar.median:g}", (high, place)
    axes.annotate(text, beside, xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, color=INK)


if __name__ == "__main__":
    draw()
