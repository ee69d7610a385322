"""Sends what MLflow has missed."""

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from blip_core.tracking.delivery import Delivery, Destination
from blip_core.tracking.journal import Journal, is_being_written, journals, read_journal

_KILLED = "KILLED"


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
    return replay_to(Destination(uri, artifact_root), journal_dir)


def replay_to(destination: Destination, journal_dir: Path) -> Replayed:
    """Send to one destination what it has missed, as `replay` does."""
    if not journal_dir.exists():
        return Replayed()
    destination.ask_again()
    with FileLock(journal_dir / "replay.lock"):
        done = [_replay(path, destination) for path in journals(journal_dir) if not is_being_written(path)]
    return Replayed(
        runs=sum(one.runs for one in done),
        entries=sum(one.entries for one in done),
        left=sum(one.left for one in done),
        gone=tuple(name for one in done for name in one.gone),
    )


def _replay(path: Path, destination: Destination) -> Replayed:
    if not _close_if_dead(path):
        return Replayed()
    delivery = Delivery(destination, path)
    missed = delivery.load_missed()
    if not missed:
        return Replayed()
    delivery.flush()
    sent = missed - delivery.waiting
    return Replayed(runs=int(sent > 0), entries=sent, left=delivery.waiting, gone=tuple(delivery.gone))


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
