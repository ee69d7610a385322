"""What a person sees of a run: one line a stage, the ladder, and where everything lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from blip_core.reporting.ladder import Ladder, Rung
from blip_core.reporting.words import share_words, stage_words

_NAME_WIDTH = 20
_BAR_WIDTH = 32
_WIDE = 100  # columns from which on a row of the ladder takes one line
_PLAIN_STEPS = 4  # a log says how far a stage is that often


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run left what it made, as text for people; empty, it made none."""

    dataset: str
    adapter: str
    pictures: str
    pages: str = "foundry ui"


class StageLines:
    """Shows stages, one at a time: a bar on a terminal or plain lines in a log, and what came of each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._bar: Progress | None = None
        self._quarters = 0

    def begin(self, stage: str, cached: bool) -> None:
        """A stage begins; a cached one shows no bar."""
        self._stop_bar()
        self._stage, self._quarters = stage, 0
        if cached or not self._console.is_terminal:
            return
        self._bar = Progress(
            SpinnerColumn("dots"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}", style="dim"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
        )
        self._bar.add_task(escape(f"{stage:<{_NAME_WIDTH}}"), total=0, visible=False)
        self._bar.start()

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` rows or steps are over."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, visible=True)
            return
        if self._console.is_terminal or not total:
            return
        quarters = _PLAIN_STEPS * done // total
        if self._quarters < quarters < _PLAIN_STEPS:
            self._quarters = quarters
            self._line(f"  {self._stage:<{_NAME_WIDTH}} {done:,} of {total:,}", "dim")

    def end(self, stage: str, seconds: float, cached: bool, told: Mapping[str, Any]) -> None:
        """A stage is over; `told` is what it says of itself."""
        self._stop_bar()
        spent = "   cached" if cached else f"{seconds:7.1f} s"
        words = stage_words(stage, {**told, "seconds": seconds, "cached": cached})
        self._line(f"✓ {stage:<{_NAME_WIDTH}}{spent}   {words}")

    def fail(self, stage: str) -> None:
        """A stage failed; the error itself is shown by whoever catches it."""
        self._stop_bar()
        self._line(f"✗ {stage:<{_NAME_WIDTH}}failed", "bold red")

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(escape(text), style=style or None, highlight=False, soft_wrap=True)


def show_ladder(console: Console, ladder: Ladder, note: str = "") -> None:
    """Print the table of variants, what it means in one sentence, and a note where one is due."""
    console.print()
    console.print(_table(ladder, " " if console.width >= _WIDE else "\n"))
    for text in (ladder.verdict, note):
        if text:
            console.print(escape(text), highlight=False)


def show_places(console: Console, places: Places) -> None:
    """Print where what was made lies, and how to open the pages."""
    console.print()
    named = {}
    if places.dataset:
        named["dataset"] = f'{places.dataset}   (datasets.load_dataset("{places.dataset}"))'
    if places.adapter:
        named["adapter"] = f"{places.adapter}   (peft.PeftModel.from_pretrained)"
    if places.pictures:
        named["pictures"] = places.pictures
    named["pages"] = f"{places.pages}   (Prefect and MLflow)"
    for name, text in named.items():
        console.print(f"[bold]{name:<9}[/bold] {escape(text)}", highlight=False, soft_wrap=True)


def _table(ladder: Ladder, separator: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("variant", style="bold", no_wrap=True)
    headings = ("accuracy|(95 %)", "free|text", "invalid", "against", "difference|(95 %)", "p")
    for heading in headings:
        side: JustifyMethod = "left" if heading == "against" else "right"
        table.add_column(heading.replace("|", separator), justify=side, no_wrap=True)
    for rung in ladder.rungs:
        table.add_row(*(escape(cell) for cell in _cells(ladder, rung, separator)))
    return table


def _cells(ladder: Ladder, rung: Rung, separator: str) -> tuple[str, ...]:
    accuracy, free = rung.accuracy, rung.free
    comparison = ladder.comparison_for(rung.name)
    interval = f"{100 * accuracy.low:.1f}–{100 * accuracy.high:.1f}"
    written = (share_words(free.accuracy), share_words(free.invalid)) if free else ("–", "–")
    name = f"{rung.name}{separator}(n {accuracy.n:,})"
    own = (name, f"{share_words(accuracy.value)}{separator}({interval})", *written)
    if comparison is None:
        return (*own, "", "", "")
    ends = f"({100 * comparison.low:+.1f} to {100 * comparison.high:+.1f})"
    difference = f"{100 * comparison.difference:+.1f}{separator}{ends}"
    return (*own, comparison.a, difference, p_words(comparison.p_value))


def p_words(p_value: float) -> str:
    """A p-value with three decimals, or `< 0.001`."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
