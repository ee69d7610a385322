"""The ladder on a terminal: a row a variant, what it means, and whether the adapter became champion."""

from collections.abc import Callable, Sequence
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blip_core.reporting.ladder import Ladder, Rung
from blip_core.reporting.summary import ChampionSummary
from blip_core.reporting.words import p_words, share_words
from blip_core.scoring import Accuracy, Comparison

_ABSENT = "–"
_OTHERWISE = (
    "circular",
    "free|text",
    "invalid",
)  # columns of the same questions, asked in other ways
_ANY_WIDTH = 1_000  # wider than any table, so that its own width is measured

Cell = Callable[[Rung, Comparison | None, str], str]


def show_ladder(console: Console, ladder: Ladder, note: str = "") -> None:
    """Print the table of variants, what it means in one sentence, and a note where one is due."""
    wide = _table(ladder, is_wide=True)
    at_ease = console.measure(wide, options=console.options.update(max_width=_ANY_WIDTH))
    fits = at_ease.maximum <= console.width
    console.print()
    console.print(wide if fits else _table(ladder, is_wide=False))
    for text in (ladder.verdict, note):
        if text:
            console.print(escape(text), highlight=False)


def show_champion(console: Console, champion: ChampionSummary) -> None:
    """Print whether the adapter of this run became the champion, and why or why not."""
    console.print(escape(champion_words(champion)), highlight=False)


def _table(ladder: Ladder, is_wide: bool) -> Table:
    """A line or two a variant; what no variant was asked for has no column."""
    separator, gap = (" ", 1) if is_wide else ("\n", 0)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), show_edge=is_wide)
    columns = _columns(ladder)
    for heading in columns:
        is_name = heading in ("variant", "against")
        table.add_column(
            heading.replace("|", separator),
            justify="left" if is_name else "right",
            style="bold" if heading == "variant" else None,
            no_wrap=not is_name,  # a long name folds, a figure is never cut
        )
    for rung in ladder.rungs:
        found = ladder.comparison_for(rung.name)
        table.add_row(*(escape(cell(rung, found, separator)) for cell in columns.values()))
    return table


def ladder_cells(ladder: Ladder) -> list[list[str]]:
    """Accuracies and comparisons as texts, a line a variant, their heading first."""
    return _cells(ladder, [heading for heading in _columns(ladder) if heading not in _OTHERWISE])


def otherwise_cells(ladder: Ladder) -> list[list[str]]:
    """What variants scored when they were asked in other ways, as texts; empty where nobody did."""
    asked = [heading for heading in _columns(ladder) if heading in _OTHERWISE]
    return _cells(ladder, ["variant", *asked]) if asked else []


def _cells(ladder: Ladder, headings: Sequence[str]) -> list[list[str]]:
    columns = _columns(ladder)
    rows = [[heading.replace("|", " ") for heading in headings]]
    for rung in ladder.rungs:
        found = ladder.comparison_for(rung.name)
        rows.append([columns[heading](rung, found, " ") for heading in headings])
    return rows


def champion_words(champion: ChampionSummary) -> str:
    """Whether an adapter became the champion, and why or why not."""
    outcome = "becomes the champion" if champion.won else "does not become champion"
    return " ".join([f"This adapter {outcome}.", *champion.reasons])


def _columns(ladder: Ladder) -> dict[str, Cell]:
    columns: dict[str, Cell] = {"variant": _name, f"{ladder.ranking.heading}|(95 %)": partial(_score, ladder)}
    if any(rung.circular for rung in ladder.rungs):
        columns["circular"] = _circular
    if any(rung.free for rung in ladder.rungs):
        columns |= {"free|text": _free, "invalid": _invalid}
    if ladder.comparisons:
        is_adjusted = any(one.family > 1 for one in ladder.comparisons)
        columns |= {"against": _against, "difference|(95 %)": _difference}
        columns["p adj." if is_adjusted else "p"] = _p
    return columns


def _name(rung: Rung, _: Comparison | None, separator: str) -> str:
    return f"{rung.name}{separator}(n {rung.accuracy.n:,})"


def _score(ladder: Ladder, rung: Rung, _: Comparison | None, separator: str) -> str:
    return f"{ladder.value_words(rung.accuracy.value)}{separator}({_ends(rung.accuracy)})"


def _circular(rung: Rung, _: Comparison | None, __: str) -> str:
    return share_words(rung.circular.value) if rung.circular else _ABSENT


def _free(rung: Rung, _: Comparison | None, __: str) -> str:
    return share_words(rung.free.accuracy) if rung.free else _ABSENT


def _invalid(rung: Rung, _: Comparison | None, __: str) -> str:
    return share_words(rung.free.invalid) if rung.free else _ABSENT


def _against(_: Rung, found: Comparison | None, __: str) -> str:
    return found.a if found else ""


def _difference(_: Rung, found: Comparison | None, separator: str) -> str:
    if found is None:
        return ""
    ends = f"({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    return f"{100 * found.difference:+.1f}{separator}{ends}"


def _p(_: Rung, found: Comparison | None, __: str) -> str:
    return p_words(found.p) if found else ""


def _ends(share: Accuracy) -> str:
    return f"{100 * share.low:.1f}–{100 * share.high:.1f}"
