"""Processes that a test has to answer for."""

import os
import time
from pathlib import Path

import psutil

LONG_ENOUGH_SECONDS = 30.0
_POLL_SECONDS = 0.1


def left_over(session: int, home: Path) -> list[str]:
    """Command lines of what is left of a session beside its leader, or works for a home wherever it is.

    What is ending already is given some time.
    """
    deadline = time.monotonic() + LONG_ENOUGH_SECONDS
    while (left := _running(session, home)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def _running(session: int, home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            is_ours = process.pid not in (session, os.getpid()) and (
                os.getsid(process.pid) == session or process.environ().get("FOUNDRY_HOME") == str(home)
            )
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def wait_until_stopped(process: int) -> None:
    """Wait for a process that stops itself."""
    deadline = time.monotonic() + LONG_ENOUGH_SECONDS * 4
    while psutil.Process(process).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, f"process {process} does not stop"
        time.sleep(_POLL_SECONDS)
