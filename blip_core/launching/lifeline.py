"""Processes that notice that the one they work for is gone, however it went.

That one holds a lock on a file, which the system takes back with its last breath. Whoever else gets the lock
is an orphan.
"""

import fcntl
import os
import threading
from pathlib import Path

ORPHANED = 70
"""Exit code of a process that ended because nobody wants its work any more."""


class Lifeline:
    """Held by the process that others work for.

    Args:
        path: file that they watch; made here.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def let_go(self) -> None:
        """Let all that hang on it end."""
        self._file.close()


def end_with(path: Path) -> None:
    """End this process, without a last word, as soon as the lifeline at `path` is let go of.

    Raises:
        FileNotFoundError: It was let go of, and removed, already.
    """
    file = path.open("rb")

    def watch() -> None:
        fcntl.flock(file, fcntl.LOCK_SH)
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
