"""What workers do in these tests: as the item says."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blip_core.errors import StageFailure, TableError
from blip_core.execution import Tell, Work

DOINGS = "tests.unit.execution.doings:opened"


@contextmanager
def opened(job: Mapping[str, Any]) -> Iterator[Work]:
    note(job, "opened")
    yield lambda item, tell: work(job, item, tell)
    note(job, "closed")


def work(job: Mapping[str, Any], item: Mapping[str, Any], tell: Tell) -> Mapping[str, Any]:
    number = item["number"]
    note(job, f"item {number}")
    tell(1, 2)
    how = item.get("how", "well")
    if how == "kill" or (how == "kill once" and begun(job, number) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "leave":
        raise SystemExit("this machine is too old")
    if how == "hang once" and begun(job, number) == 1:
        time.sleep(600)
    if how == "mistake":
        raise TableError("row 7 has no picture")
    if how == "bug":
        raise KeyError("gone")
    if how == "memory":
        raise MemoryError
    time.sleep(item.get("seconds", 0))
    return {"square": number**2, "pid": os.getpid()}


def note(job: Mapping[str, Any], text: str) -> None:
    with Path(job["notes"]).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def notes(job: Mapping[str, Any]) -> list[str]:
    path = Path(job["notes"])
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def begun(job: Mapping[str, Any], number: int) -> int:
    return notes(job).count(f"item {number}")


@contextmanager
def broken(job: Mapping[str, Any]) -> Iterator[Work]:
    raise StageFailure("the weights are not here")
    yield
