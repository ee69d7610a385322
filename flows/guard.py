"""Stops process groups when the process that started them is gone, however it went.

Run as `python -m flows.guard`: each line of standard input is the id of a process group; at its end, which
comes with the death of whoever writes it, every group is asked to end and, if it will not, ended.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import IO, Self

GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


class ProcessGroups:
    """Processes that end with this one, each in a group of its own.

    Ends them when the context is left, and leaves a guard to do so if this process is killed.
    """

    def __init__(self) -> None:
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "flows.guard"], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        self.members: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: dict[str, str], log: IO[bytes]) -> None:
        """Start a member; what it prints goes to its log."""
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        self.members[name] = process
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{process.pid}\n")
        self._guard.stdin.flush()

    def ended(self) -> str:
        """Name of a member that is not running any more; empty while all are."""
        return next((name for name, process in self.members.items() if process.poll() is not None), "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        for process in self.members.values():
            process.wait()
        self._guard.wait()


def end_groups(groups: Iterable[int]) -> None:
    """Ask groups to end, wait `GRACE_SECONDS` for all of them, then kill those that are left."""
    left = [group for group in groups if _signal(group, signal.SIGTERM)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [group for group in left if _signal(group, 0)]
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; False where there is no such group any more."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Read groups until the writer is gone, then end them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_groups([int(line) for line in sys.stdin])


if __name__ == "__main__":
    main()
