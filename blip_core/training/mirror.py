"""Checkpoints of a tuning, kept beside a shared store too: another machine goes on where this one died."""

import logging
import shutil
from pathlib import Path

from blip_core.errors import FoundryError
from blip_core.store.durable import explained
from blip_core.store.places.shelf import TRAINING, Shelf
from blip_core.training.checkpoints import COMPLETE, KEPT, STEP_PREFIX

_FETCHING = ".fetching-"
_log = logging.getLogger(__name__)


class Mirror:
    """Keeps checkpoints of one tuning on a shelf, and takes what another machine left there.

    A checkpoint is on the shelf once its `complete.json` is, which comes last; whoever reads one compares its
    digests. A shelf that cannot be reached costs a warning, and no step.

    Args:
        shelf: beside the store; None keeps nothing.
        key: of the tuning.
        root: folder of its checkpoints here.
    """

    def __init__(self, shelf: Shelf | None, key: str, root: Path) -> None:
        self._shelf = shelf
        self._name = f"{TRAINING}/{key}"
        self._root = root
        self._saved = ""

    def bring(self) -> None:
        """Take checkpoints that are newer than those here.

        Raises:
            StoreError: The shelf does not answer, or the disk is full.
        """
        if self._shelf is None:
            return
        here = self._newest()
        for step in self._steps(self._shelf):
            if step > here and self._shelf.has(f"{self._name}/{step}/{COMPLETE}"):
                self._take(self._shelf, step)
        self._saved = self._newest()

    def save(self) -> None:
        """Bring the newest checkpoint to the shelf, if it is not there yet; those too old to be needed go."""
        newest = self._newest()
        if self._shelf is None or newest <= self._saved:
            return
        try:
            self._put(self._shelf, newest)
            for old in self._steps(self._shelf)[:-KEPT]:
                self._shelf.forget(f"{self._name}/{old}")
        except (FoundryError, FileNotFoundError) as error:  # or it was too old in the meantime
            _log.warning("checkpoint %s stays on this machine alone: %s", self._root / newest, error)
            return
        self._saved = newest

    def _newest(self) -> str:
        found = sorted(
            path.name for path in self._root.glob(f"{STEP_PREFIX}*") if (path / COMPLETE).is_file()
        )
        return found[-1] if found else ""

    def _steps(self, shelf: Shelf) -> list[str]:
        return [name for name in shelf.names(self._name) if name.startswith(STEP_PREFIX)]

    def _take(self, shelf: Shelf, step: str) -> None:
        fetching = self._root / f"{_FETCHING}{step}"
        with explained(self._root):
            shutil.rmtree(fetching, ignore_errors=True)
            fetching.mkdir(parents=True)
            shelf.bring(f"{self._name}/{step}", fetching)
            shutil.rmtree(self._root / step, ignore_errors=True)
            fetching.rename(self._root / step)

    def _put(self, shelf: Shelf, step: str) -> None:
        files = sorted((self._root / step).iterdir(), key=lambda path: path.name == COMPLETE)
        for path in files:
            shelf.save(path, f"{self._name}/{step}/{path.name}")
