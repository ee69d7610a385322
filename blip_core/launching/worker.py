"""What every process does that works together with others, whatever it works on."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from blip_core.launching.folder import LIFELINE, write_error
from blip_core.launching.lifeline import end_with

MEMBER_GONE = 71
"""Exit code of a process that could not go on because another one failed, which has its own words for it."""


class MemberGone(Exception):
    """Another process of the group is gone."""


def work(act: Callable[[Path, int], None]) -> NoReturn:
    """Do a process's part: `act(folder, rank)`, as the launcher calls it.

    What goes wrong is noted for whoever asked, who raises it.
    """
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    end_with(folder / LIFELINE)
    try:
        act(folder, rank)
    except MemberGone:
        _leave(MEMBER_GONE)
    except Exception as error:
        write_error(folder, rank, error)
        raise  # into this process's log
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End at once: at a regular end a process group may wait for members that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
