"""What a process of a group does in these tests: as its job says."""

import os
import signal
import time
from pathlib import Path

import psutil

from blip_core.errors import TrainingFailure
from blip_core.launching.folder import Messages, read_job, write_result
from blip_core.launching.worker import work


def act(folder: Path, rank: int) -> None:
    end = read_job(folder)["end"]
    if rank == 0:
        Messages(folder).send(_seen())
    if end == "well" and rank == 0:
        write_result(folder, {"answer": 42})
    if end == "well":
        return
    if rank == 1:
        _end(end)
    time.sleep(600)


def _seen() -> dict[str, object]:
    """What only a process of the group can tell."""
    launcher = psutil.Process().parent()
    listening = [
        place.laddr.port for place in launcher.net_connections() if place.status == psutil.CONN_LISTEN
    ]
    return {
        "launcher": launcher.pid,
        "others": [child.pid for child in launcher.children()],
        "threads": os.environ["OMP_NUM_THREADS"],
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "listening": listening,
    }


def _end(how: str) -> None:
    if how == "mistake":
        raise TrainingFailure("the loss is no number; lower finetune.learning_rate")
    if how == "bug":
        raise KeyError("gone")
    if how == "memory":
        raise MemoryError
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    work(act)
