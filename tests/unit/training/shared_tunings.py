"""What each of two processes does in the tests of tuning together: several tunings, one after the other.

The libraries are loaded once for all of them, which is most of the time.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from blip_core.dataset import read_split
from blip_core.launching.folder import GROUP, read_job, write_result
from blip_core.launching.worker import work
from blip_core.modeling import load_blip2
from blip_core.recipes.inference import Inference
from blip_core.training import TrainingResult, finetune
from blip_core.training.launching import Job
from blip_core.training.learner import Learner
from blip_core.training.process_group import ProcessGroup, join

PROCESSES = 2
LITTLE_MEMORY = "little-memory"  # name of the tuning in which one process has too little of it


class Ended(BaseException):
    """What comes from outside and ends a tuning, in the same step of each process."""


def tune(folder: Path, rank: int) -> None:
    jobs = read_job(folder)
    together = join(folder / GROUP, rank, PROCESSES, "cpu")
    results = {}
    for name, job in jobs.items():
        with _little_memory() if (name, rank) == (LITTLE_MEMORY, 1) else nullcontext():
            results[name] = _tune(Job.from_json(job), together)
    if together.is_first:
        write_result(folder, {name: _told(result) for name, result in results.items()})


def tune_job(job: Job, together: ProcessGroup, end_at: int = 0) -> TrainingResult:
    def on_step(step: int, metrics: Mapping[str, float]) -> None:
        if step == end_at > 0:
            raise Ended

    return finetune(
        load_blip2(job.base, job.settings.quantisation),
        read_split(job.dataset, "train"),
        read_split(job.dataset, "validation"),
        job.settings,
        Inference.model_validate(job.prompts),
        job.seed,
        job.out_dir,
        on_step,
        start=job.start,
        checkpoints=job.checkpoints,
        together=together,
    )


def _tune(job: Job, together: ProcessGroup) -> TrainingResult:
    """A job with checkpoints is ended in its fourth step first."""
    if job.checkpoints:
        with suppress(Ended):
            tune_job(job, together, end_at=4)
    return tune_job(job, together)


@contextmanager
def _little_memory() -> Iterator[None]:
    """Memory of this process suffices for one row at a time."""
    forward = Learner.forward

    def narrow(learner: Learner, states: Tensor, *others: Tensor, **named: Tensor) -> dict[str, Tensor]:
        if len(states) > 1:
            raise torch.OutOfMemoryError
        return forward(learner, states, *others, **named)

    Learner.forward = narrow
    try:
        yield
    finally:
        Learner.forward = forward


def _told(result: TrainingResult) -> dict[str, Any]:
    return {
        "curve": result.curve,
        "counts": asdict(result.counts),
        "samples": [asdict(sample) for sample in result.samples],
        "adapter": str(result.adapter),
    }


if __name__ == "__main__":
    work(tune)
