"""Locks among the processes of one machine: the kernel lets go of them when their holder dies."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from blip_core.store.durable import explained
from blip_core.store.places.place import Taken

RUN = "run-"
"""Beginning of the names of runs' locks, whose files go when the run has ended."""
_LOG = logging.getLogger(__name__)


class KernelLocks:
    """Locks by name: `locks/NAME.lock` below a root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def locked(self, name: str, wait: bool = True) -> Iterator[None]:
        """See `Place.locked`.

        Raises:
            PlaceError: The folder cannot be written.
            Taken: Somebody is inside, and nobody waits.
        """
        lock = self._lock(name)
        with explained(self._root):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if not wait:
                    raise Taken(name) from None
                _LOG.info("another writer is making %s; waiting for it", name)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def held(self) -> list[str]:
        """Names of locks that somebody holds; files of runs that have ended go."""
        found = []
        for path in sorted((self._root / "locks").glob("*.lock")):
            if not self._is_free(path.stem):
                found.append(path.stem)
            elif path.stem.startswith(RUN):
                path.unlink(missing_ok=True)
        return found

    def _is_free(self, name: str) -> bool:
        try:
            with self.locked(name, wait=False):
                return True
        except Taken:
            return False

    def _lock(self, name: str) -> FileLock:
        with explained(self._root):
            (self._root / "locks").mkdir(parents=True, exist_ok=True)
        # A lock that is a mere file would outlive a killed holder; the kernel's does not.
        return FileLock(
            self._root / "locks" / f"{name}.lock", fallback_to_soft=False, preserve_lock_file=True
        )
