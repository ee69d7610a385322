"""The process that measures: takes parts from its standard input, answers in lines of JSON.

It stands apart from the one that keeps the results, so that what it measures can hang, fail or take the card
down with it and nothing that was measured before is lost. When that one goes, it goes as well.
"""

import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from typing import Any

Job = Mapping[str, Any]
Message = Mapping[str, Any]
Tell = Callable[[Message], None]

_LONGEST_ERROR = 300  # characters


def serve(prepare: Callable[[], Message], measure: Callable[[Job], Iterator[Message]]) -> None:
    """Work job after job until nobody asks any more.

    Args:
        prepare: gets ready; gives what is said first.
        measure: works a job.
    """
    tell, jobs = _answers_alone(), _jobs()
    with redirect_stdout(sys.stderr):
        tell(prepare())
        while True:
            _work(measure, jobs.get(), tell)


def _answers_alone() -> Tell:
    """Standard output is for answers; whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(message: Message) -> None:
        answers.write(json.dumps(message, allow_nan=False) + "\n")
        answers.flush()

    return tell


def _jobs() -> "queue.Queue[Job]":
    jobs: queue.Queue[Job] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(json.loads(line))
        os._exit(0)  # also in the middle of a job: nobody would hear of it

    threading.Thread(target=read, daemon=True).start()
    return jobs


def _work(measure: Callable[[Job], Iterator[Message]], job: Job, tell: Tell) -> None:
    try:
        for figures in measure(job):
            tell({"figures": figures})
    except Exception as error:  # noqa: BLE001  # whatever it is, the next part has its turn
        import traceback

        traceback.print_exc()
        tell({"end": "failed", "error": _in_a_line(error)})
    else:
        tell({"end": "done"})


def _in_a_line(error: Exception) -> str:
    said = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {said}"[:_LONGEST_ERROR]


def _prepare() -> Message:
    """Import all that takes long, and say what this machine is."""
    for name, value in {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}.items():
        os.environ.setdefault(name, value)
    import torch
    from transformers.utils import logging

    from tests.benchmarks import device as on
    from tests.benchmarks import measuring
    from tests.gpu.report.parts import PARTS

    for part in PARTS:
        with suppress(Exception):  # it fails again, and alone, when its turn comes
            part.load()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    gc.freeze()  # the objects of libraries need not be looked at again and again
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = {"device": on.device_name(device), **measuring.machine(torch.get_num_threads())}
    return {"device": device, "machine": {**machine, "versions": measuring.versions()}}


def _measure(job: Job) -> Iterator[Message]:
    from tests.gpu.report.parts import PARTS
    from tests.gpu.report.setting import Setting
    from tests.gpu.report.sizes import SIZES

    device = job["device"]
    _release(device)
    part = next(one for one in PARTS if one.name == job["part"])
    yield from part.load()(Setting(SIZES[job["size"]].on(device), device, job["peaks"]))


def _release(device: str) -> None:
    """Give back what the part before left, so that the next one counts its own memory alone."""
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    serve(_prepare, _measure)
