"""What a person sees of a run: one line a stage, and where everything lies."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from blip_core.reporting.pace import Clock, Pace, progress_words
from blip_core.reporting.words import progress_unit, stage_words

_NAME_WIDTH = 20
_BAR_WIDTH = 32
_PLAIN_STEPS = 4  # a log says how far a stage is that often


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run left what it made, as text for people; empty, it made none."""

    dataset: str
    adapter: str
    pictures: str
    pages: str = ""
    report: str = ""
    earlier_adapters: Mapping[str, str] = field(default_factory=dict)


class StageLines:
    """Shows stages, one at a time: a bar on a terminal or plain lines in a log, and what came of each.

    Args:
        console: where they are shown.
        clock: seconds that never go back, for the pace of long stages.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._pace = Pace(clock)
        self._stage = ""
        self._bar: Progress | None = None
        self._quarters = 0

    def begin(self, stage: str, cached: bool) -> None:
        """A stage begins; a cached one shows no bar."""
        self._stop_bar()
        self._stage, self._quarters = stage, 0
        self._pace = Pace(self._clock)
        if cached or not self._console.is_terminal:
            return
        self._bar = Progress(
            SpinnerColumn("dots"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.fields[told]}", style="dim"),
            console=self._console,
            transient=True,
        )
        self._bar.add_task(escape(f"{stage:<{_NAME_WIDTH}}"), total=0, visible=False, told="")
        self._bar.start()

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` rows or steps are over."""
        told = progress_words(done, total, progress_unit(self._stage), self._pace.add(done))
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, visible=True, told=told)
            return
        if self._console.is_terminal or not total:
            return
        quarters = _PLAIN_STEPS * done // total
        if self._quarters < quarters < _PLAIN_STEPS:
            self._quarters = quarters
            self._line(f"  {self._stage:<{_NAME_WIDTH}} {told}", "dim")

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

    def pause(self, stage: str) -> None:
        """A stage stops before its end; why is said by whoever stops it."""
        self._stop_bar()
        self._line(f"– {stage:<{_NAME_WIDTH}}stopped; what is whole is kept")

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(escape(text), style=style or None, highlight=False, soft_wrap=True)


def show_places(console: Console, places: Places) -> None:
    """Print where what was made lies, and how to open the pages."""
    console.print()
    named = {}
    if places.dataset:
        named["dataset"] = f'{places.dataset}   (datasets.load_dataset("{places.dataset}"))'
    if places.adapter:
        named["adapter"] = f"{places.adapter}   (peft.PeftModel.from_pretrained)"
    named |= {f"adapter of {name}": path for name, path in places.earlier_adapters.items()}
    if places.pictures:
        named["pictures"] = places.pictures
    if places.report:
        named["report"] = f"{places.report}   (opens in any browser)"
    named["pages"] = places.pages or "foundry ui   (Prefect and MLflow)"
    for name, text in named.items():
        console.print(f"[bold]{name:<9}[/bold] {escape(text)}", highlight=False, soft_wrap=True)
