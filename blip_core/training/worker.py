"""One of several processes that tune together; the launcher runs it as a module."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from blip_core.dataset import read_split, taught
from blip_core.launching.folder import GROUP, Messages, read_job, write_result
from blip_core.launching.worker import work
from blip_core.modeling import load_blip2
from blip_core.modeling.device_name import device_name
from blip_core.modeling.features import VisionStates
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.stored_features import StoredVisionStates
from blip_core.store import Store
from blip_core.training.finetuning import finetune
from blip_core.training.launching import Job, Tuned, log_message, samples_message, step_message
from blip_core.training.probing import read_probes
from blip_core.training.process_group import join
from blip_core.training.sampling import Sample


def tune(folder: Path, rank: int) -> None:
    """Take part in the tuning that the folder's job names; the first process tells how it gets on."""
    job = Job.from_json(read_job(folder))
    if job.device == "cpu":
        torch.set_num_threads(job.threads_each)
    together = join(folder / GROUP, rank, job.processes, job.device)
    bundle = load_blip2(job.base, job.settings.quantisation, job.device, job.settings.base.dtype)
    messages = Messages(folder)
    if together.is_first:
        logging.getLogger("blip_core").addHandler(_Told(messages))

    def on_step(step: int, metrics: Mapping[str, float]) -> None:
        if together.is_first:
            messages.send(step_message(step, metrics))

    def on_samples(samples: Sequence[Sample]) -> None:
        messages.send(samples_message(samples))

    result = finetune(
        bundle,
        taught(read_split(job.dataset, "train"), job.settings.references),
        read_split(job.dataset, "validation"),
        job.settings,
        job.prompts,
        job.seed,
        job.out_dir,
        on_step,
        states=_vision_states(job, bundle),
        start=job.start,
        checkpoints=job.checkpoints,
        on_samples=on_samples,
        together=together,
        probes=read_probes(job.probes) if job.probes else (),
    )
    if together.is_first:
        write_result(folder, Tuned(result, bundle.manifest, device_name(bundle.device)).to_json())


class _Told(logging.Handler):
    """Hands our own warnings to whoever asked."""

    def __init__(self, messages: Messages) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.send(log_message(record))


def _vision_states(job: Job, bundle: Blip2Bundle) -> VisionStates:
    if job.settings.features == "fresh":
        return FreshVisionStates(bundle, job.settings.augmentation, job.seed)
    place = job.shared.open() if job.shared else job.store
    return StoredVisionStates(bundle, Store(place), job.identity)


if __name__ == "__main__":
    work(tune)
