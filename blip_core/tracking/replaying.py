"""Sends what MLflow has missed."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from blip_core.errors import TrackingError
from blip_core.tracking.cursor import delivered_runs
from blip_core.tracking.delivery import Delivery
from blip_core.tracking.destination import Destination
from blip_core.tracking.journal import Journal, is_being_written, journals, read_journal

CATCH_UP_SECONDS = 15.0
DAMAGED = ".damaged"
_KILLED = "KILLED"
_LOCK = "replay.lock"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did.

    Attributes:
        runs: runs of which something was sent.
        entries: journal entries that were sent.
        left: entries that still wait, because the server is away.
        gone: files that an earlier delivery elsewhere had already let go of.
    """

    runs: int = 0
    entries: int = 0
    left: int = 0
    gone: tuple[str, ...] = ()


def replay(journal_dir: Path, uri: str, artifact_root: Path | None = None) -> Replayed:
    """Send to the MLflow at `uri` what it has missed of the journals below `journal_dir`.

    Runs that a living process still writes are left to it. A run whose process died without closing it is
    closed as KILLED. Sending twice does no harm.
    """
    if not journal_dir.exists():
        return Replayed()
    destination = Destination(uri, artifact_root)
    with FileLock(journal_dir / _LOCK):
        return _sum([_replay(path, destination) for path in journals(journal_dir)])


def catch_up(destination: Destination, journal_dir: Path) -> Replayed:
    """Do as `replay`, but briefly and without failing: for the beginning of a run.

    Runs that were delivered whole are not opened. Where another process is at it already, nothing is done.
    Once `CATCH_UP_SECONDS` are over or the server turns out to be away, the rest waits for another time. A
    journal that cannot be read is logged and renamed to `RUN.damaged`.
    """
    if not journal_dir.exists():
        return Replayed()
    destination.ask_again()
    deadline = time.monotonic() + CATCH_UP_SECONDS
    done = []
    try:
        with FileLock(journal_dir / _LOCK, timeout=0):
            for path in journals(journal_dir, except_runs=delivered_runs(journal_dir, destination.name)):
                if destination.is_away or time.monotonic() > deadline:
                    break
                done.append(_replay_or_put_aside(path, destination))
    except Timeout:
        logger.info("Another process is sending what MLflow has missed.")
    return _sum(done)


def is_delivered(journal: Path, uri: str) -> bool:
    """Whether nothing of a journal is to be sent to the MLflow at `uri` any more."""
    return (
        journal.stem in delivered_runs(journal.parent, uri)
        or not journal.exists()  # put aside, as it cannot be read
        or b"\n" not in journal.read_bytes()
    )


def _sum(done: Sequence[Replayed]) -> Replayed:
    return Replayed(
        runs=sum(one.runs for one in done),
        entries=sum(one.entries for one in done),
        left=sum(one.left for one in done),
        gone=tuple(name for one in done for name in one.gone),
    )


def _replay_or_put_aside(path: Path, destination: Destination) -> Replayed:
    try:
        return _replay(path, destination)
    except TrackingError as damage:
        aside = path.with_suffix(DAMAGED)
        path.rename(aside)
        logger.warning("%s; it lies in %s now, and MLflow does not get the rest of its run.", damage, aside)
        return Replayed()


def _replay(path: Path, destination: Destination) -> Replayed:
    if _is_empty(path) or is_being_written(path) or not _close_if_dead(path):
        return Replayed()
    delivery = Delivery(destination, path)
    missed = delivery.load_missed()
    if not missed:
        return Replayed()
    delivery.flush()
    sent = missed - delivery.waiting
    return Replayed(runs=int(sent > 0), entries=sent, left=delivery.waiting, gone=tuple(delivery.gone))


def _is_empty(path: Path) -> bool:
    """Whether nothing was written yet: its process may be about to lock it, and must not find us looking."""
    return path.stat().st_size == 0


def _close_if_dead(path: Path) -> bool:
    """End the journal of a dead process; False for a journal in which nothing was ever written."""
    entries = read_journal(path)
    if not entries:
        return False
    if entries[-1].kind != "finish":
        journal = Journal(path)
        journal.append("finish", {"status": _KILLED}, time_ms=entries[-1].time_ms)
        journal.close()
    return True
