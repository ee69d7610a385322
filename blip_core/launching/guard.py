"""Stops processes when the process that started them is gone, however it went.

Run as `python -m blip_core.launching.guard`: each line of standard input is a target as `kill` takes it, a
process or, when negative, a group; at its end, which comes with the death of whoever writes it, every target
is asked to end, with all that it started, and ended if it will not.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

import psutil

GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


class OrphanGuard:
    """A guard that ends what it is given when this process lets go of it, or is gone."""

    def __init__(self) -> None:
        end, self._held = os.pipe()
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "blip_core.launching.guard"],
            stdin=end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(end)

    def hold(self, target: int) -> None:
        """Give the guard a process, or a group when negative."""
        os.write(self._held, f"{target}\n".encode())

    def let_go(self) -> None:
        os.close(self._held)

    def wait(self) -> None:
        self._guard.wait()


class ProcessGroups:
    """Processes that end with this one, each in a group of its own.

    Ends them when the context is left, and leaves a guard to do so if this process is killed.
    """

    def __init__(self) -> None:
        self._lifeline = OrphanGuard()
        self.members: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: dict[str, str], log: IO[bytes]) -> None:
        """Start a member; what it prints goes to its log."""
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        self.members[name] = process
        self._lifeline.hold(-process.pid)

    def ended(self) -> str:
        """Name of a member that is not running any more; empty while all are."""
        return next((name for name, process in self.members.items() if process.poll() is not None), "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lifeline.let_go()
        for process in reversed(self.members.values()):  # as the guard goes, or it would wait for a zombie
            process.wait()
        self._lifeline.wait()


def end_all(targets: Sequence[int]) -> None:
    """End targets, the last first: what was started later still tells the earlier ones how it ended."""
    for target in reversed(targets):
        end(target)


def end(target: int) -> None:
    """End what a target started, then the target: a worker's runs still tell how they ended."""
    _end(_descendants(abs(target)))
    _end([target, *_descendants(abs(target))])


def _end(targets: Sequence[int]) -> None:
    """Ask targets to end, wait `GRACE_SECONDS` for all of them, then kill those that are left."""
    left = [target for target in targets if _signal(target, signal.SIGTERM)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [target for target in left if _signal(target, 0)]
    for target in left:
        _signal(target, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    """Processes below one, as those of a worker's runs, which stand in groups of their own."""
    try:
        return [child.pid for child in psutil.Process(process).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(target: int, number: int) -> bool:
    """Send a signal; False where there is no such process or group any more."""
    try:
        os.kill(target, number)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Read targets until the writer is gone, then end them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_all([int(line) for line in sys.stdin])


if __name__ == "__main__":
    main()
