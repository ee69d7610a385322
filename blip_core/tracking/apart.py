"""Deliveries by a process of its own: MLflow takes two seconds to load, and a run need not wait for it."""

import atexit
import logging
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from blip_core import strict_json
from blip_core.tracking.cursor import read_cursor
from blip_core.tracking.delivery import Delivery
from blip_core.tracking.destination import Destination
from blip_core.tracking.journal import Entry, read_journal

logger = logging.getLogger(__name__)

_COMMAND = [sys.executable, "-m", "blip_core.tracking.sender"]
_ENDING_SECONDS = 5.0


class Sender:
    """A process that has MLflow loaded and sends what it is told to, in order; it ends with this one.

    It is started with the first thing that it is told. Should it end before, the run goes on: its journal
    keeps what MLflow misses.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._has_ended = False
        self._asked = 0
        self._lock = threading.RLock()

    def tell(self, message: dict[str, Any]) -> None:
        """Give it something to do; nobody waits until that is done."""
        with self._lock:
            self._write(message)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Wait for its answer, before which it did all that it was told; empty once it has ended."""
        with self._lock:
            self._asked += 1
            self._write({**message, "asked": self._asked})
            while line := self._read():
                answer: dict[str, Any] = strict_json.loads(line)
                for name, level, text in answer["logged"]:
                    logging.getLogger(name).log(level, "%s", text)
                if answer["asked"] == self._asked:  # else one that a signal kept somebody from waiting for
                    return answer
        return {}

    def close(self) -> None:
        """Let it go; what it was told and nobody waited for stays in the journals."""
        with self._lock:
            process, self._process, self._has_ended = self._process, None, True
        if process is None:
            return
        for pipe in _pipes(process):
            with suppress(BrokenPipeError):
                pipe.close()
        try:
            process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write(self, message: dict[str, Any]) -> None:
        if self._has_ended:
            return
        if self._process is None:
            self._process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            atexit.register(self.close)
        to, _ = _pipes(self._process)
        try:
            to.write(strict_json.dumps(message).encode() + b"\n")
            to.flush()
        except BrokenPipeError:
            self._note_end()

    def _read(self) -> bytes:
        if self._has_ended or self._process is None:
            return b""
        _, answers = _pipes(self._process)
        line = answers.readline()
        if not line:
            self._note_end()
        return line

    def _note_end(self) -> None:
        self._has_ended = True
        logger.warning(
            "The process that sends records to MLflow has ended; the run goes on, and its journal keeps what "
            "MLflow misses."
        )


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """What a process reads and what it writes."""
    assert process.stdin is not None  # noqa: S101 - pipes were asked for
    assert process.stdout is not None  # noqa: S101
    return process.stdin, process.stdout


@cache
def sender() -> Sender:
    """The one that works for this process."""
    return Sender()


class DeliveryApart(Delivery):
    """Has one journal sent by another process; waits for it only where it is asked what came of it."""

    def __init__(self, destination: Destination, journal: Path, by: Sender) -> None:
        super().__init__(destination, journal)
        self._sender = by

    @property
    def mlflow_id(self) -> str:
        if not self._cursor.mlflow_id:
            self.settle()
        return self._cursor.mlflow_id

    @property
    def waiting(self) -> int:
        self.settle()
        return len(read_journal(self._journal)) - self._cursor.delivered

    def for_journal(self, journal: Path) -> "DeliveryApart":
        return DeliveryApart(self._destination, journal, self._sender)

    def add(self, entry: Entry) -> None:
        told = {"number": entry.number, "kind": entry.kind, "time_ms": entry.time_ms, "data": entry.data}
        self._sender.tell(self._message("add", entry=told))

    def flush(self) -> bool:
        """Let the queue be sent; nobody waits, hence True."""
        self._sender.tell(self._message("flush"))
        return True

    def settle(self) -> None:
        """Wait until everything was sent, or was found not to go; the sender's warnings are told here."""
        self._ask()

    def version_of(self, number: int) -> str:
        return str(self._ask(number=number).get("version", ""))

    def _ask(self, **more: Any) -> dict[str, Any]:
        answer = self._sender.ask(self._message("ask", **more))
        self._cursor = read_cursor(self._journal, self._destination.name)
        return answer

    def _message(self, do: str, **more: Any) -> dict[str, Any]:
        return {"do": do, "to": self._destination.address, "journal": str(self._journal), **more}
