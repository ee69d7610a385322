"""Stands for the worker in tests: measures nothing, and does to each part what the part's name says."""

import os
import signal
import time
from collections.abc import Iterator

from tests.gpu.report.worker import Job, Message, serve


def _measure(job: Job) -> Iterator[Message]:
    yield {"what": "first", "value": 1}
    if job["part"].startswith("hangs"):
        time.sleep(600)
    if job["part"].startswith("breaks"):
        raise ValueError("broken\nin two lines")
    if job["part"].startswith("dies"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if job["part"].startswith("nan"):
        yield {"what": "no number", "value": float("nan")}
    yield {"what": "second", "value": os.getpid(), "peaks": {"matmul_tflops": 2.0}}


if __name__ == "__main__":
    serve(lambda: {"device": "cpu", "machine": {"device": "stand-in", "pid": os.getpid()}}, _measure)
