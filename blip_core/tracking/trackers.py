"""Where runs are recorded: in journals alone, or in journals and MLflow."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from blip_core.tracking.apart import DeliveryApart, Sender
from blip_core.tracking.delivery import Delivery
from blip_core.tracking.destination import Destination
from blip_core.tracking.journal import SUFFIX, Journal
from blip_core.tracking.mirroring import mirror_missed
from blip_core.tracking.replaying import Replayed, catch_up, is_delivered
from blip_core.tracking.runs import JournalledRun


class MlflowTracker:
    """Records runs in journals below `journal_dir` and sends them to the MLflow at `uri`.

    While MLflow is away runs go on, their journals keep what it has missed, and `replay` sends it.

    Args:
        uri: a database (`sqlite:////absolute/path`) or a server (`http://...`).
        journal_dir: folder of the journals.
        artifact_root: folder on this machine for the files of experiments that have yet to be made;
            absent, the server keeps them.
        by: another process that sends, so that MLflow is not loaded into this one; absent, this one does.
    """

    def __init__(
        self, uri: str, journal_dir: Path, artifact_root: Path | None = None, by: Sender | None = None
    ) -> None:
        self._destination = Destination(uri, artifact_root)
        self._journal_dir = journal_dir
        self._sender = by

    @property
    def uri(self) -> str:
        return self._destination.uri

    def start(
        self, experiment: str, name: str, tags: Mapping[str, str], mirrors: Sequence[str] = ()
    ) -> JournalledRun:
        """Open a run; `experiment` groups runs that are worth comparing, `mirrors` show it elsewhere, too."""
        return _start(self._journal_dir, self._delivery, experiment, name, tags, mirrors)

    def _delivery(self, journal: Path) -> Delivery:
        if self._sender:
            return DeliveryApart(self._destination, journal, self._sender)
        return Delivery(self._destination, journal)

    def load(self) -> None:
        """Let the process that sends load MLflow meanwhile; what is wrong shows when something is sent."""
        if self._sender:
            self._sender.tell({"do": "load", "to": self._destination.address})

    def catch_up(self) -> Replayed:
        """Send what MLflow and mirrors have missed of earlier runs, briefly and without failing."""
        replayed = catch_up(self._destination, self._journal_dir)
        mirror_missed(self._journal_dir)
        return replayed

    def has_whole(self, run_id: str) -> bool:
        """Whether MLflow has all that the journal of a run says."""
        return is_delivered(self._journal_dir / f"{run_id}{SUFFIX}", self._destination.name)


class JournalTracker:
    """Records runs in journals alone; `replay` can send them to an MLflow later."""

    uri = ""

    def __init__(self, journal_dir: Path) -> None:
        self._journal_dir = journal_dir

    def start(
        self, experiment: str, name: str, tags: Mapping[str, str], mirrors: Sequence[str] = ()
    ) -> JournalledRun:
        """Open a run; `experiment` groups runs that are worth comparing, `mirrors` show it elsewhere, too."""
        return _start(self._journal_dir, None, experiment, name, tags, mirrors)


def _start(
    journal_dir: Path,
    deliver: Callable[[Path], Delivery] | None,
    experiment: str,
    name: str,
    tags: Mapping[str, str],
    mirrors: Sequence[str],
) -> JournalledRun:
    journal = Journal(journal_dir / f"{uuid.uuid4().hex}{SUFFIX}")
    delivery = deliver(journal.path) if deliver else None
    return JournalledRun.open(journal, delivery, experiment, name, tags, mirrors=mirrors)
