"""Journals and reports of a run, beside a store that several machines share."""

import logging
from pathlib import Path

from blip_core.errors import FoundryError
from blip_core.wiring import Workplace

_LOG = logging.getLogger(__name__)


class SharedRecords:
    """Brings what a run writes down to where other machines find it; a store of this machine needs none.

    Args:
        place: whose journals and reports are brought.
    """

    def __init__(self, place: Workplace) -> None:
        self._shelf = place.store.place.shelf
        self._folders = (place.journal, place.reports)
        self._seen = self._files() if self._shelf is not None else {}

    def save(self) -> None:
        """Bring files that are new or have changed; a store that does not answer costs a warning."""
        if self._shelf is None:
            return
        for path, state in self._files().items():
            if self._seen.get(path) == state:
                continue
            try:
                self._shelf.save(path, self._named(path))
            except (FoundryError, OSError) as error:
                _LOG.warning("%s is on this machine alone: %s", path, error)
                return
            self._seen[path] = state

    def _files(self) -> dict[Path, tuple[int, int]]:
        """Size and time of every file."""
        found = (path for folder in self._folders for path in folder.rglob("*") if path.is_file())
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in found}

    def _named(self, path: Path) -> str:
        folder = next(one for one in self._folders if path.is_relative_to(one))
        return f"{folder.name}/{path.relative_to(folder).as_posix()}"
