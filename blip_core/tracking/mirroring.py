"""Runs shown where else people look: TensorBoard and W&B, mirrored from the journal.

Which mirrors a run has stands in its first entry. TensorBoard's event files grow while a run does; those of
a run whose process died, and W&B's offline runs, are written from the journal, in place of what lay there,
when a run ends or the next one begins: nothing comes twice, however often it is done. A list beside the
journals says which are written whole. Whatever fails here is told once and harms no run.
"""

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from blip_core.errors import TrackingError
from blip_core.tracking.cursor import delivered_runs, note_delivered
from blip_core.tracking.journal import Entry, is_being_written, journals, read_journal, read_start
from blip_core.tracking.mirrored_pictures import keep_picture, picture_of
from blip_core.tracking.tensorboard_events import EventFiles

TENSORBOARD, WANDB = "tensorboard", "wandb"
WANDB_S = 300.0
"""Longest time that W&B is given for the runs of one pipeline."""
_LOCK = "mirrors.lock"
_NO_NAME = re.compile(r"[^\w.-]+")
_SHOWN_CHARS = 8

logger = logging.getLogger(__name__)


class LiveMirror:
    """Event files of a run that goes on, and its pictures, for mirrors that are written later.

    Args:
        journal: of the run.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._files: EventFiles | None = None
        self._is_given_up = False
        self._is_mirrored = False

    def add(self, entry: Entry) -> None:
        """Show an entry; the first one decides whether the run is shown at all."""
        if entry.kind == "start":
            mirrors = entry.data.get("mirrors", ())
            self._is_mirrored, self._is_given_up = bool(mirrors), TENSORBOARD not in mirrors
        if self._is_mirrored:
            self._keep_picture(entry)
        if self._is_given_up:
            return
        try:
            if self._files is None:
                self._files = EventFiles(_emptied(run_folder(self._journal)))
            self._files.write(entry, picture_of(self._journal, entry))
            if entry.kind == "finish":
                self._files.close()
                note_delivered(self._journal, TENSORBOARD)
        except Exception as error:  # noqa: BLE001 - whatever a mirror does, the run goes on
            self._is_given_up = True
            _tell(TENSORBOARD, error)

    def _keep_picture(self, entry: Entry) -> None:
        try:
            keep_picture(self._journal, entry)
        except OSError as error:
            self._is_mirrored = False
            _tell("of pictures", error)


def mirror_missed(journal_dir: Path) -> None:
    """Write what mirrors lack of the runs below a folder of journals; briefly, and without failing.

    Runs that a living process still writes are left to it. Where another process is at it, nothing is done.
    """
    if not journal_dir.exists():
        return
    try:
        with FileLock(journal_dir / _LOCK, timeout=0):
            for name, write in _WRITERS.items():
                _mirror_to(name, write, journal_dir)
    except Timeout:
        return


def run_folder(journal: Path) -> Path:
    """Where the event files of a run lie: below its experiment, and below the run that it belongs to."""
    start = read_start(journal).data
    name = _NO_NAME.sub("-", start["name"]).strip("-") or "run"
    above = journal.with_stem(start["parent"]) if start["parent"] else None
    if above is not None and above.exists():
        return run_folder(above) / name
    experiment = _NO_NAME.sub("-", start["experiment"])
    return mirror_root(journal.parent, TENSORBOARD) / experiment / f"{name}-{journal.stem[:_SHOWN_CHARS]}"


def mirror_root(journal_dir: Path, name: str) -> Path:
    """Folder of a mirror, beside that of the journals."""
    return journal_dir.with_name(name)


def _mirror_to(name: str, write: Callable[[Sequence[Path]], None], journal_dir: Path) -> None:
    wanted: list[Path] = []
    for path in journals(journal_dir, except_runs=delivered_runs(journal_dir, name)):
        try:
            if path.stat().st_size == 0 or is_being_written(path):
                continue
            if name in read_start(path).data.get("mirrors", ()):
                wanted.append(path)
            else:
                note_delivered(path, name)  # it is not opened again
        except (TrackingError, OSError) as error:
            _tell(name, error)
    if not wanted:
        return
    try:
        write(wanted)
    except Exception as error:  # noqa: BLE001 - whatever a mirror does, the run goes on
        _tell(name, error)


def _write_event_files(missed: Sequence[Path]) -> None:
    for path in missed:
        files = EventFiles(_emptied(run_folder(path)))
        for entry in read_journal(path):
            files.write(entry, picture_of(path, entry))
        files.close()
        note_delivered(path, TENSORBOARD)


def _write_wandb_runs(missed: Sequence[Path]) -> None:
    import wandb  # noqa: F401 - a process is worth starting only where it is installed

    folder = mirror_root(missed[0].parent, WANDB)
    command = [sys.executable, "-m", "blip_core.tracking.wandb_offline", str(folder), *map(str, missed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WANDB_S, check=False)
    for run in set(done.stdout.split()) & {path.stem for path in missed}:
        note_delivered(missed[0].with_stem(run), WANDB)
    if done.returncode:
        raise TrackingError(f"wandb ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")


_WRITERS: Mapping[str, Callable[[Sequence[Path]], None]] = {
    TENSORBOARD: _write_event_files,
    WANDB: _write_wandb_runs,
}


def _emptied(folder: Path) -> Path:
    """A run's folder without event files of before; runs below it stay."""
    for path in folder.glob("events.out.tfevents.*"):
        path.unlink()
    return folder


def _tell(name: str, error: Exception) -> None:
    install = f"; pip install 'blip-foundry[{name}]' brings it" if isinstance(error, ImportError) else ""
    logger.warning(
        "The mirror %s is not written (%s%s); the run goes on, and its journal keeps what is missing.",
        name, error, install,
    )  # fmt: skip
