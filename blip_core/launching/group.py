"""Starts processes that work together, hears how they get on, and ends them whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import psutil

from blip_core import errors
from blip_core.errors import FoundryError, StageFailure
from blip_core.launching.folder import (
    LAUNCHER_LOG,
    LIFELINE,
    Inbox,
    read_errors,
    read_failures,
    read_log,
    read_result,
    write_job,
)
from blip_core.launching.lifeline import Lifeline
from blip_core.launching.worker import MEMBER_GONE

OnMessage = Callable[[Mapping[str, Any]], None]

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 10.0
_MEMORY_ERRORS = ("OutOfMemoryError", "MemoryError")
_NO_PORT = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # the processes meet in a file
_GO_ON = "run again to go on from the last checkpoint"
_LESS_MEMORY = "lower device.processes or finetune.batch_size, or stop other programs that use memory"


def run_together(
    module: str,
    job: Mapping[str, Any],
    processes: int,
    environment: Mapping[str, str],
    on_message: OnMessage,
    one_gpu_each: bool = False,
    threads: int = 1,
) -> dict[str, Any]:
    """Let so many processes run a module on one job, and wait for what comes of it.

    They stand in process groups of their own, speak over the loopback interface, and end with this call,
    also when this very process is killed.

    Args:
        module: what each runs, see `launching.worker.work`.
        job: what is to be done, as JSON.
        processes: how many.
        environment: of the processes.
        on_message: told what the first process says, as it comes.
        one_gpu_each: whether each sees a GPU of its own; otherwise all see the same.
        threads: CPU threads of each.

    Returns:
        The first process's result.

    Raises:
        FoundryError: The one that a process raised, or how it ended.
        RuntimeError: A process failed as none should; its stack trace is a note.
    """
    command = [sys.executable, "-m", "blip_core.launching.agent", module, str(processes)]
    own = {"OMP_NUM_THREADS": str(threads), **_NO_PORT}
    with tempfile.TemporaryDirectory(prefix="foundry-") as name:
        folder = Path(name)
        write_job(folder, job)
        lifeline = Lifeline(folder / LIFELINE)
        options = ["--one-gpu-each"] if one_gpu_each else []
        launcher = _start([*command, name, *options], {**_loopback(), **environment, **own}, folder)
        try:
            _hear_out(launcher, Inbox(folder), on_message)
        finally:
            _end(launcher, lifeline)
        if launcher.returncode != 0:
            _raise_failure(folder, launcher.returncode, processes)
        return read_result(folder)


def _start(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / LAUNCHER_LOG).open("wb") as log:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _loopback() -> dict[str, str]:
    """Processes of one machine need no other interface; who knows better sets these variables."""
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    return {key: names[0] for key in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") if names}


def _hear_out(launcher: subprocess.Popen[bytes], inbox: Inbox, on_message: OnMessage) -> None:
    is_running = True
    while is_running:
        is_running = launcher.poll() is None
        for message in inbox.new():
            on_message(message)
        if is_running:
            time.sleep(_POLL_SECONDS)


def _end(launcher: subprocess.Popen[bytes], lifeline: Lifeline) -> None:
    """End all that is left: without a lifeline at once, and by force what hangs or has only just begun."""
    left = _below(launcher.pid)
    lifeline.let_go()
    try:
        launcher.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
    _, alive = psutil.wait_procs(left, _GRACE_SECONDS)
    for process in alive:
        process.kill()


def _below(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _raise_failure(folder: Path, code: int, processes: int) -> NoReturn:
    said = read_errors(folder)
    if said:
        _raise_again(said[0], processes)
    failures = read_failures(folder)
    # Who was forsaken failed for want of another one.
    for rank, ended in sorted(failures.items(), key=lambda item: item[1] == MEMBER_GONE):
        raise StageFailure(f"process {rank + 1} of {processes} {_ended(ended, read_log(folder, rank))}")
    log = (folder / LAUNCHER_LOG).read_text(encoding="utf-8", errors="replace")
    raise StageFailure(f"the launcher of {processes} processes {_ended(code, log)}")


def _ended(code: int, log: str) -> str:
    if code == -signal.SIGKILL:
        return f"was killed, most likely because main memory ran out: {_LESS_MEMORY}"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}; {_GO_ON}"
    if code == MEMBER_GONE:
        return f"lost the others, none of which said why; {_GO_ON}"
    last_line = next(reversed(log.strip().splitlines()), "it left no word")
    return f"ended with code {code}: {last_line}"


def _raise_again(said: Mapping[str, Any], processes: int) -> NoReturn:
    kind = getattr(errors, said["kind"], None)
    if isinstance(kind, type) and issubclass(kind, FoundryError):
        raise kind(said["text"])
    who = f"process {said['rank'] + 1} of {processes}"
    if said["kind"] in _MEMORY_ERRORS:
        raise StageFailure(f"memory did not suffice in {who}: {_LESS_MEMORY}. It said: {_first_line(said)}")
    failure = RuntimeError(f"{who} failed: {said['kind']}: {_first_line(said)}")
    failure.add_note(said["trace"])
    raise failure


def _first_line(said: Mapping[str, Any]) -> str:
    return next(iter(str(said["text"]).splitlines()), "")
