"""Workers as processes of this machine, each in a group of its own; they end with whoever asked for them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO

from blip_core import strict_json
from blip_core.execution.messages import LESS_MEMORY, Message
from blip_core.execution.pool import Heard
from blip_core.launching.lifeline import Lifeline

_LIFELINE = "lifeline"
_READ_BYTES = 1 << 16
_LAST_BREATH_SECONDS = 5.0  # between the end of what a process says and its own


class LocalProcess:
    """A process that follows orders; see `pool.Worker`.

    Args:
        name: for people.
        environment: of the process.
        lifeline: file whose lock it lives by.
        log: gets what it prints.
    """

    def __init__(self, name: str, environment: Mapping[str, str], lifeline: Path, log: Path) -> None:
        self.name = name
        self._log = log
        self._unread = b""
        self._is_silent = False
        with log.open("wb") as printed:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "blip_core.execution.worker", str(lifeline)],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                start_new_session=True,
            )

    @property
    def output(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        return self._process.stdout

    def send(self, order: Message) -> None:
        """Give it an order; a dead one does not take it, which shows when it is heard."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        with suppress(BrokenPipeError):
            self._process.stdin.write(strict_json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def said(self) -> Iterator[Message | None]:
        """What it has said since; None once it is gone."""
        more = os.read(self.output.fileno(), _READ_BYTES)
        *lines, self._unread = (self._unread + more).split(b"\n")
        yield from (strict_json.loads(line) for line in lines)
        if not more:
            self._is_silent = True
            yield None

    @property
    def is_heard(self) -> bool:
        """Whether it may still say something."""
        return not self._is_silent and not self.output.closed

    def end(self) -> str:
        """End it with all that it started; how it had ended, if it had."""
        if self._is_silent:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST_BREATH_SECONDS)
        how = self._how_it_ended() if self._process.returncode is not None else ""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        return how

    def _how_it_ended(self) -> str:
        code = self._process.returncode
        if code == -signal.SIGKILL:
            return f"was killed, most likely because main memory ran out: {LESS_MEMORY}"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        printed = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"ended with code {code}: {next(reversed(printed), 'it left no word')}"


class LocalProcesses:
    """Starts and hears processes; see `pool.Launcher`.

    Args:
        environment: of all of them.
        own: what each of them has besides, by turns: the GPU that it sees, say.
    """

    def __init__(self, environment: Mapping[str, str], own: Sequence[Mapping[str, str]] = ()) -> None:
        self._environment = environment
        self._own = own
        self._folder = tempfile.TemporaryDirectory(prefix="foundry-")
        self._lifeline = Lifeline(self._path / _LIFELINE)
        self._workers: list[LocalProcess] = []
        self._started = 0

    @property
    def _path(self) -> Path:
        return Path(self._folder.name)

    def start(self, number: int) -> LocalProcess:
        """Start a process."""
        own = self._own[number % len(self._own)] if self._own else {}
        log = self._path / f"worker-{self._started}.log"
        self._started += 1
        worker = LocalProcess(
            f"worker {number + 1}", {**self._environment, **own}, self._path / _LIFELINE, log
        )
        self._workers.append(worker)
        return worker

    def hear(self, seconds: float) -> list[Heard]:
        """Wait until somebody says something, or is gone."""
        self._workers = [one for one in self._workers if one.is_heard]
        by_output = {one.output.fileno(): one for one in self._workers}
        workers = [by_output[output] for output in wait(list(by_output), seconds) if isinstance(output, int)]
        return [Heard(worker, message) for worker in workers for message in worker.said()]

    def close(self) -> None:
        """Let all end that hang on the lifeline, and forget what they printed."""
        self._lifeline.let_go()
        self._folder.cleanup()
