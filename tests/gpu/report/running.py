"""Parts one after the other, each within its bound, in a process that is replaced when one fails."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.gpu.report.parts import Part
from tests.gpu.report.results import PartResult, Report

START_BOUND_S = 120.0
"""Until a worker has imported everything; a cold disk is slow."""

LEAST_PART_S = 10.0
"""A part that is left with less is not begun."""

WORKER = (sys.executable, "-m", "tests.gpu.report.worker")

OnNews = Callable[[str], None]


class Gone(Exception):
    """The worker ended."""


class Late(Exception):
    """The worker said nothing in time."""


@dataclass
class Worker:
    """A process that measures, and what it says.

    Attributes:
        process: itself, the first of a group of its own.
        said: its messages, in order; None after the last.
        device: that it measures on.
        machine: what it says of it.
    """

    process: subprocess.Popen[str]
    said: "queue.Queue[dict[str, Any] | None]"
    device: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, command: Sequence[str], log: IO[str], deadline: float) -> "Worker":
        """Start one and wait until it is ready.

        Raises:
            Gone: It ended before.
            Late: It is not ready in time.
        """
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=_listen, args=(process, said), daemon=True).start()
        worker = cls(process, said)
        try:
            hello = worker.hear(deadline)
        except (Gone, Late):
            worker.end()
            raise
        worker.device, worker.machine = hello["device"], hello["machine"]
        return worker

    def ask(self, job: Mapping[str, Any]) -> None:
        """Hand it a part.

        Raises:
            Gone: It ended.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Gone(self.last_word()) from error

    def hear(self, deadline: float) -> dict[str, Any]:
        """Its next message.

        Raises:
            Gone: It ended.
            Late: There is none in time.
        """
        try:
            message = self.said.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty as error:
            raise Late from error
        if message is None:
            raise Gone(self.last_word())
        return message

    def last_word(self) -> str:
        """How it ended."""
        code = self.process.wait()
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def end(self) -> None:
        """Kill it with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            self.process.__exit__(None, None, None)  # waits, and closes its pipes


def _listen(process: subprocess.Popen[str], said: "queue.Queue[dict[str, Any] | None]") -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            said.put(json.loads(line))
    except ValueError:  # it died in the middle of a line
        pass
    finally:
        said.put(None)


def run(
    report: Report,
    parts: Sequence[Part],
    log: Path,
    only_device: str = "",
    on_news: OnNews = lambda _: None,
    command: Sequence[str] = WORKER,
) -> None:
    """Work all parts that there is time for; the report is saved after every measurement.

    Args:
        report: is added to.
        parts: what is measured, in order, as the report names them.
        log: what the worker and its libraries print.
        only_device: the report ends at once on any other.
        on_news: told what goes on, a line a time.
        command: starts a worker.

    Raises:
        SystemExit: The device is another one.
    """
    deadline = time.monotonic() + report.minutes * 60
    worker: Worker | None = None
    report.save()
    with log.open("w", encoding="utf-8") as lines:
        try:
            for part, result in zip(parts, report.parts, strict=True):
                if deadline - time.monotonic() < LEAST_PART_S:
                    result.status = "not started"
                    continue
                worker = worker or _start(command, result, report, lines, deadline, only_device)
                if worker is not None:
                    worker = _work(worker, part, result, report, deadline)
                on_news(f"{part.name}: {result.status} in {result.seconds:.0f} s {result.error}".rstrip())
            report.status = "finished"
        finally:
            if worker is not None:
                worker.end()
            if report.status == "running":
                report.status = "stopped"
            report.save()


def _start(
    command: Sequence[str],
    result: PartResult,
    report: Report,
    log: IO[str],
    deadline: float,
    only_device: str,
) -> Worker | None:
    """A worker that is ready; None where none came to be, which is the part's failure."""
    try:
        worker = Worker.start(command, log, min(deadline, time.monotonic() + START_BOUND_S))
    except (Gone, Late) as error:
        why = str(error) or "it took too long"
        result.status, result.error = "failed", f"no process came to be ready: {why}"
        return None
    report.machine = dict(worker.machine)
    if only_device and worker.device != only_device:
        worker.end()
        raise SystemExit(
            f"there is no {only_device} device, and full sizes are not for a {worker.device}; try --small"
        )
    return worker


def _work(worker: Worker, part: Part, result: PartResult, report: Report, deadline: float) -> Worker | None:
    """One part; gives the worker where the next one can use it."""
    result.status = "running"
    report.save()
    began = time.monotonic()
    try:
        worker.ask({"part": part.name, "size": report.size, "device": worker.device, "peaks": report.peaks})
        _hear_out(worker, result, report, min(deadline, began + part.bound_s))
    except Gone as gone:
        result.status, result.error = "failed", f"the process {gone}"
    except Late:
        result.status = "stopped"
    result.seconds = round(time.monotonic() - began, 1)
    report.save()
    if result.status == "done":
        return worker
    worker.end()  # it is still busy, or holds what it failed with
    return None


def _hear_out(worker: Worker, result: PartResult, report: Report, deadline: float) -> None:
    while result.status == "running":
        message = worker.hear(deadline)
        if "figures" in message:
            report.add(result, message["figures"])
            continue
        result.status, result.error = message["end"], message.get("error", "")
