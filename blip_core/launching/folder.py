"""The folder through which processes speak that work together: JSON in files, nothing pickled.

- `job.json`: what is to be done
- `lifeline`: locked for as long as somebody wants it done
- `messages.jsonl`: how it gets on, by the first process, a message a line
- `result.json`: what came of it, by the first process
- `error-R.json`: what process R could not do
- `failures.json`: processes that ended badly, with their exit codes, by the launcher
- `rendezvous`, `group`: where the processes find each other
- `logs`, `launcher.log`: what they print
"""

import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blip_core import strict_json

LIFELINE = "lifeline"
RENDEZVOUS = "rendezvous"
GROUP = "group"
LOGS = "logs"
LAUNCHER_LOG = "launcher.log"
_JOB = "job.json"
_MESSAGES = "messages.jsonl"
_RESULT = "result.json"
_FAILURES = "failures.json"


def write_job(folder: Path, job: Mapping[str, Any]) -> None:
    _write(folder / _JOB, job)


def read_job(folder: Path) -> dict[str, Any]:
    return _read(folder / _JOB)


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    _write(folder / _RESULT, result)


def read_result(folder: Path) -> dict[str, Any]:
    return _read(folder / _RESULT)


def write_error(folder: Path, rank: int, error: BaseException) -> None:
    """Note what a process could not do."""
    said = {
        "kind": type(error).__name__,
        "text": str(error),
        "trace": "".join(traceback.format_exception(error)),
        "rank": rank,
        "time": time.time(),
    }
    _write(folder / f"error-{rank}.json", said)


def read_errors(folder: Path) -> list[dict[str, Any]]:
    """Earliest first: the others may have failed for want of the first."""
    return sorted((_read(path) for path in folder.glob("error-*.json")), key=lambda said: said["time"])


def write_failures(folder: Path, codes: Mapping[int, int]) -> None:
    """Note the exit codes of processes that failed, by rank; negative for the number of a signal."""
    _write(folder / _FAILURES, {str(rank): code for rank, code in codes.items()})


def read_failures(folder: Path) -> dict[int, int]:
    """Empty where the launcher noted none."""
    path = folder / _FAILURES
    return {int(rank): code for rank, code in _read(path).items()} if path.exists() else {}


def read_log(folder: Path, rank: int) -> str:
    """What a process wrote to its standard error."""
    logs = (folder / LOGS).glob(f"*/attempt_0/{rank}/stderr.log")
    return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs)


class Messages:
    """How the work gets on; written by the first process."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / _MESSAGES).open("a", encoding="utf-8", buffering=1)

    def send(self, message: Mapping[str, Any]) -> None:
        self._file.write(strict_json.dumps(message) + "\n")


class Inbox:
    """Reads each message once, as it comes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _MESSAGES
        self._read_to = 0

    def new(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if not line.endswith(b"\n"):  # still being written
                    return
                self._read_to += len(line)
                yield strict_json.loads(line)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Whole or not at all: a process may be killed while it writes."""
    staging = path.with_suffix(".writing")
    staging.write_text(strict_json.dumps(values), encoding="utf-8")
    staging.rename(path)


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = strict_json.loads(path.read_text(encoding="utf-8"))
    return values
