"""Where checkpoints lie, where they grow, and how two at once are kept apart."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES, EDQUOT, EEXIST, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path

from filelock import FileLock, Timeout

from blip_core.errors import HubAway, PlaceError
from blip_core.prefetching.lock import LockedCheckpoint, read_lock, write_lock
from blip_core.prefetching.needs import Need

STAGING = ".prefetch"
_BUSY = "prefetch.lock"


@dataclass(frozen=True, slots=True)
class Places:
    """Where checkpoints lie, and the lock file that says which.

    Attributes:
        models: snapshots as `owner/name`.
        lock: the lock file.
        cache: of the hub's own tools; None, nobody looks there.
    """

    models: Path
    lock: Path
    cache: Path | None = None

    def folder(self, need: Need) -> Path:
        return self.models / need.id

    @property
    def growing(self) -> Path:
        """Where checkpoints grow."""
        return self.models / STAGING

    def staging(self, need: Need, commit: str) -> Path:
        """Where one grows."""
        return self.growing / need.id.replace("/", "--") / commit

    def locked(self, need: Need) -> LockedCheckpoint | None:
        return read_lock(self.lock).get(need.id)

    def add_to_lock(self, need: Need, checkpoint: LockedCheckpoint) -> None:
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        write_lock(self.lock, read_lock(self.lock) | {need.id: checkpoint})


def free_bytes(path: Path) -> int:
    """Free bytes of the disk that a path is on, or would be."""
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    return shutil.disk_usage(there).free


@contextmanager
def alone(places: Places, folder: Path) -> Iterator[None]:
    """Work alone, as a lock in a folder proves, and say in plain words what the network or disk refuses.

    Raises:
        HubAway: The hub broke off; what came is kept.
        PlaceError: Somebody else is at work, the disk is full, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _BUSY, timeout=0, fallback_to_soft=False):
            yield
    except HubAway as error:
        raise HubAway(f"{error}; what came is kept, and the same command goes on from there") from error
    except Timeout as error:
        raise PlaceError(f"another prefetch is at work in {places.models}; wait until it is over") from error
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise PlaceError(
                f"the disk of {places.models} is full; whole files and what there is of others are kept: "
                "make room and run it again"
            ) from error
        if error.errno in (EACCES, EPERM, EROFS, ENOTDIR, EEXIST):
            raise PlaceError(
                f"{error.filename or places.models} cannot be written ({error.strerror}); "
                "name another folder in FOUNDRY_MODELS, or mend its permissions"
            ) from error
        raise
