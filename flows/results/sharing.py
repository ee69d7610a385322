"""What runs write down, beside a store that several machines share.

`journal/OWNER/` in the bucket holds the journals of a run until MLflow has them whole; OWNER names the lease
of the process that writes them. Once that is over, whoever begins a run next takes the journals over: it
brings them among its own and sends what MLflow has missed, where sending twice adds nothing. `reports/RUN/`
stay.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from blip_core.errors import FoundryError
from blip_core.store.places import Taken
from blip_core.store.places.shelf import Shelf
from blip_core.tracking import MlflowTracker
from blip_core.tracking.cursor import cursor_path
from blip_core.tracking.journal import SUFFIX, files_folder
from blip_core.wiring import Workplace

JOURNAL, REPORTS = "journal", "reports"
SAVE_SECONDS = 60.0
"""What a machine that dies takes with it of a journal is at most as old."""
_TAKING_OVER = "taking-over"
_LOG = logging.getLogger(__name__)


class SharedRecords:
    """Brings what a run writes down to where other machines find it; a store of this machine needs none.

    Args:
        place: whose journals and reports are brought.
        owner: names the lease of this process.
    """

    def __init__(self, place: Workplace, owner: str) -> None:
        self._shelf = place.store.place.shelf
        self._place = place
        self._owner = owner
        self._seen: dict[Path, tuple[int, int]] = {}
        self._due = time.monotonic() + SAVE_SECONDS

    def save(self, runs: Iterable[str]) -> None:
        """Bring files of runs that are new or have changed; a store that does not answer costs a warning."""
        if self._shelf is not None:
            self._save(self._shelf, [*self._journals(runs), *self._reports(runs)])

    def save_if_due(self, runs: Iterable[str]) -> None:
        """Do as `save` in the midst of a long stage, once in `SAVE_SECONDS`."""
        if self._shelf is not None and time.monotonic() >= self._due:
            self.save(runs)

    def end(self, runs: Sequence[str], is_delivered: bool) -> None:
        """Bring the last of runs that are over; journals that MLflow has whole are needed nowhere else."""
        if self._shelf is None:
            return
        if not is_delivered:
            self.save(runs)
            return
        self._save(self._shelf, self._reports(runs))
        _forget(self._shelf, self._owner)

    def _save(self, shelf: Shelf, files: Iterable[tuple[Path, str]]) -> None:
        for path, name in files:
            try:
                state = path.stat().st_size, path.stat().st_mtime_ns
                if self._seen.get(path) != state:
                    shelf.save(path, name)
                    self._seen[path] = state
            except FileNotFoundError:
                continue  # MLflow has got it since it was listed
            except (FoundryError, OSError) as error:
                _LOG.warning("%s is on this machine alone: %s", path, error)
                break
        self._due = time.monotonic() + SAVE_SECONDS

    def _journals(self, runs: Iterable[str]) -> Iterable[tuple[Path, str]]:
        """Files of journals with their names in the bucket: what an entry speaks of before the entry."""
        for run in runs:
            journal = _journal(self._place, run)
            for path in [*_files(files_folder(journal)), journal, cursor_path(journal)]:
                yield path, f"{JOURNAL}/{self._owner}/{path.relative_to(self._place.journal).as_posix()}"

    def _reports(self, runs: Iterable[str]) -> Iterable[tuple[Path, str]]:
        for run in runs:
            for path in _files(self._place.reports / run):
                yield path, f"{REPORTS}/{path.relative_to(self._place.reports).as_posix()}"


def catch_up(place: Workplace, tracker: MlflowTracker) -> None:
    """Send what MLflow has missed of this machine's runs, and of those of machines that died.

    One machine at a time sends what the dead have left, their own when it is up again among them: two that
    look for a run in MLflow at once would both make it.
    """
    shelf = place.store.place.shelf
    try:
        dead = dead_owners(place)
        if shelf is None or not dead:
            tracker.catch_up()
            return
        with place.store.place.locked(_TAKING_OVER, wait=False):
            _take_over(place, shelf, tracker, dead)
    except Taken:
        _LOG.info("Another machine is sending what MLflow has missed.")
    except (FoundryError, OSError) as error:
        _LOG.warning("What machines that died have left for MLflow waits for another time: %s", error)
        tracker.catch_up()


def dead_owners(place: Workplace) -> list[str]:
    """Owners of journals in the bucket that MLflow has not whole, and that nobody writes any more.

    Raises:
        StoreError: The bucket does not answer.
    """
    shelf = place.store.place.shelf
    left = shelf.names(JOURNAL) if shelf is not None else []
    living = place.store.runs() if left else []
    return [owner for owner in left if owner not in living]


def _take_over(place: Workplace, shelf: Shelf, tracker: MlflowTracker, owners: Sequence[str]) -> None:
    runs = {owner: _runs(shelf, owner) for owner in owners}
    for owner in owners:
        _bring(shelf, owner, [run for run in runs[owner] if not _journal(place, run).exists()], place.journal)
    tracker.catch_up()
    for owner in owners:
        if all(map(tracker.has_whole, runs[owner])):
            _forget(shelf, owner)


def _runs(shelf: Shelf, owner: str) -> list[str]:
    names = map(PurePosixPath, shelf.names(f"{JOURNAL}/{owner}"))
    return [name.stem for name in names if name.suffix == SUFFIX]


def _bring(shelf: Shelf, owner: str, runs: Sequence[str], folder: Path) -> None:
    """Bring journals that are not here, each last of its files: nobody sees one that lacks some."""
    if not runs:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as name:
        brought = Path(name)
        shelf.bring(f"{JOURNAL}/{owner}", brought)
        for run in runs:
            journal = brought / f"{run}{SUFFIX}"
            for path in (files_folder(journal), cursor_path(journal), journal):
                if path.exists():
                    path.rename(folder / path.name)


def _forget(shelf: Shelf, owner: str) -> None:
    try:
        shelf.forget(f"{JOURNAL}/{owner}")
    except FoundryError as error:
        _LOG.warning("journals that MLflow has stay in the bucket: %s", error)


def _journal(place: Workplace, run: str) -> Path:
    return place.journal / f"{run}{SUFFIX}"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
