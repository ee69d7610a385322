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
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from typing import Any

Tell = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Work part after part until nobody asks any more."""
    tell = _answers_alone()
    jobs = _jobs()
    with redirect_stdout(sys.stderr):
        _prepare(tell)
        while True:
            _work(jobs.get(), tell)


def _answers_alone() -> Tell:
    """Standard output is for answers; whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message, allow_nan=False) + "\n")
        answers.flush()

    return tell


def _jobs() -> "queue.Queue[dict[str, Any]]":
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(json.loads(line))
        os._exit(0)  # also in the middle of a part: nobody would hear of it

    threading.Thread(target=read, daemon=True).start()
    return jobs


def _prepare(tell: Tell) -> None:
    """Import all that takes long, and say what this machine is."""
    for name, value in {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}.items():
        os.environ.setdefault(name, value)
    import torch
    from transformers.utils import logging

    from tests.benchmarks import device as on
    from tests.benchmarks import measuring

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    gc.freeze()  # a hundred thousand objects of libraries need not be looked at again and again
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tell(
        {
            "device": device,
            "machine": {
                "device": on.device_name(device),
                "versions": measuring.versions(),
                **measuring.machine(torch.get_num_threads()),
            },
        }
    )


def _work(job: Mapping[str, Any], tell: Tell) -> None:
    from tests.gpu.report.parts import PARTS
    from tests.gpu.report.setting import Setting
    from tests.gpu.report.sizes import SIZES

    part = next(one for one in PARTS if one.name == job["part"])
    device = job["device"]
    setting = Setting(SIZES[job["size"]].on(device), device, job["peaks"])
    try:
        for figures in part.load()(setting):
            tell({"figures": figures})
    except Exception as error:  # noqa: BLE001  # whatever it is, the next part has its turn
        import traceback

        traceback.print_exc()
        tell({"end": "failed", "error": _in_a_line(error)})
    else:
        _release(device)
        tell({"end": "done"})


def _in_a_line(error: Exception) -> str:
    said = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {said}"[:300]


def _release(device: str) -> None:
    """Give memory back before the next part counts its own."""
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
