"""What a process gives up before it opens a stranger's file: memory, time, files, network, other programs."""

import ctypes
import resource
import sys
from collections.abc import Sequence
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_OTHER_PROGRAMS = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


def limit(kind: int, most: int) -> None:
    """Lower a limit of `resource`; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (bound, bound))


def leave_network() -> None:
    """Move into a network of nobody else's, where the kernel allows it to people without privileges.

    To be called while the process has one thread.
    """
    library = ctypes.CDLL(None)
    if library.unshare(_CLONE_NEWNET) != 0:
        library.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def forbid_other_programs(what: str, also: Sequence[str] = ()) -> None:
    """Refuse from now on what Python would do with sockets and other programs; it cannot be undone.

    Args:
        what: the file that is opened here, as the refusal calls it.
        also: beginnings of further events of `sys.audit`.
    """
    forbidden = (*_OTHER_PROGRAMS, *also)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(forbidden):
            raise PermissionError(f"{what} asked for {event}")

    sys.addaudithook(refuse)
