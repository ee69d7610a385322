"""Sends journals to MLflow for another process: `python -m blip_core.tracking.sender`.

Each line of standard input is a message in JSON, worked in order; one that asks gets a line on standard
output. At the end of the input, which comes with the death of whoever writes it, this process ends at once.
"""

import logging
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from blip_core import strict_json
from blip_core.tracking.delivery import Delivery
from blip_core.tracking.destination import Destination
from blip_core.tracking.journal import Entry

Logged = list[tuple[str, int, str]]


class _Kept(logging.Handler):
    """Keeps what is logged until it can be told to who asks."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._kept: Logged = []

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append((record.name, record.levelno, record.getMessage()))

    def take(self) -> Logged:
        taken, self._kept = self._kept, []
        return taken


class _Desk:
    """Does what messages say; each destination and each journal is opened once."""

    def __init__(self, kept: _Kept, answers: TextIO) -> None:
        self._kept = kept
        self._answers = answers
        self._destination = cache(_open)
        self._delivery = cache(self._begin)

    def work(self, message: dict[str, Any]) -> None:
        address = tuple(message["to"])
        if message["do"] == "load":
            self._load(address)
            return
        delivery = self._delivery(address, message["journal"])
        if message["do"] == "add":
            delivery.add(Entry(**message["entry"]))
            return
        delivery.flush()
        if message["do"] == "ask":
            version = delivery.version_of(message.get("number", -1))
            self._answer({"asked": message["asked"], "version": version, "logged": self._kept.take()})

    def _answer(self, told: dict[str, Any]) -> None:
        self._answers.write(strict_json.dumps(told) + "\n")
        self._answers.flush()

    def _load(self, address: tuple[str, str]) -> None:
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException):  # what is wrong shows when something is sent
            _ = self._destination(address).client

    def _begin(self, address: tuple[str, str], journal: str) -> Delivery:
        return Delivery(self._destination(address), Path(journal))


def _open(address: tuple[str, str]) -> Destination:
    uri, root = address
    return Destination(uri, Path(root) if root else None)


def _read(messages: "queue.SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        messages.put(line)
    os._exit(0)  # even while MLflow is loaded or a server is waited for


def main() -> None:
    """Work messages until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which still tells how it ended
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    kept = _Kept()
    ours = logging.getLogger("blip_core")
    ours.addHandler(kept)
    ours.setLevel(logging.INFO)
    ours.propagate = False
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(messages,), daemon=True).start()
    desk = _Desk(kept, answers)
    while True:
        desk.work(strict_json.loads(messages.get()))


if __name__ == "__main__":
    main()
