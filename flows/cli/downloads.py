"""Shows downloads: a bar a file on a terminal, a line a file in a log."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Downloads:
    """A watcher of `blip_core.prefetching` that prints.

    Args:
        console: a terminal gets bars, anything else lines.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", visible=False)
        self._line = ""

    def begin(self, name: str, size: int, have: int) -> None:
        """See `Watcher`."""
        went_on = f", from {decimal(have)} on" if have else ""
        self._line = f"  {escape(name)}  {decimal(size)}{went_on}"
        self._bars.reset(self._task, total=size, completed=have, description=escape(name), visible=True)

    def advance(self, size: int) -> None:
        """See `Watcher`."""
        self._bars.advance(self._task, size)

    def end(self, whole: bool) -> None:
        """See `Watcher`."""
        self._bars.update(self._task, visible=False)
        self._console.print(self._line if whole else f"{self._line}  stopped")

    def say(self, line: str) -> None:
        """See `Watcher`."""
        self._console.print(escape(line))

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
