"""A tuning by several processes: what they are told, and what comes back from them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch

from blip_core import strict_json
from blip_core.launching import run_together
from blip_core.modeling.manifest import ModuleDtype
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Rejection
from blip_core.store.places.opening import StoreAddress
from blip_core.training.probing import Remembered
from blip_core.training.results import TrainingCounts, TrainingResult
from blip_core.training.sampling import OnSamples, Sample, ignore_samples
from blip_core.training.watching import OnStep

WORKER = "blip_core.training.worker"

_STEP, _METRICS, _SAMPLES, _LOGGER, _LEVEL, _TEXT = "step", "metrics", "samples", "logger", "level", "text"


@dataclass(frozen=True)
class Job:
    """All that a process needs to know to take part in a tuning; goes through JSON unchanged.

    Attributes:
        base: folder of the checkpoint that is tuned.
        identity: changes when its weights do.
        dataset: folder with the splits `train` and `validation`.
        store: root of the store that keeps vision states.
        shared: where that store is, if not there; None, it is.
        settings: what is tuned and how.
        prompts: the wording of both stages.
        seed: of adapter, order, dropout and stages.
        out_dir: folder for the adapter.
        checkpoints: folder of the checkpoints of this tuning alone; None keeps none.
        start: folder of the adapter that is gone on from; None begins with a fresh one.
        probes: folder of the rows that are judged on the way, see `write_probes`; None, there are none.
        device: `cpu` or `cuda`.
        processes: how many tune together.
        threads: CPU threads of all of them; 0 shares out those that torch would take here.
    """

    base: Path
    identity: str
    dataset: Path
    store: Path
    settings: Finetune
    prompts: Inference
    seed: int
    out_dir: Path
    checkpoints: Path | None
    device: str
    processes: int
    threads: int = 0
    start: Path | None = None
    probes: Path | None = None
    shared: StoreAddress | None = None

    @property
    def threads_each(self) -> int:
        """CPU threads of one process."""
        return max(1, (self.threads or torch.get_num_threads()) // self.processes)

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            **{name: str(getattr(self, name)) for name in ("base", "dataset", "store", "out_dir")},
            "checkpoints": str(self.checkpoints) if self.checkpoints else None,
            "start": str(self.start) if self.start else None,
            "probes": str(self.probes) if self.probes else None,
            "shared": self.shared.to_json() if self.shared else None,
            "settings": self.settings.model_dump(mode="json"),
            "prompts": self.prompts.model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        paths = {name: Path(values[name]) for name in ("base", "dataset", "store", "out_dir")}
        return cls(
            **{
                **values,
                **paths,
                "checkpoints": Path(values["checkpoints"]) if values["checkpoints"] else None,
                "start": Path(values["start"]) if values["start"] else None,
                "probes": Path(values["probes"]) if values["probes"] else None,
                "shared": StoreAddress.from_json(values["shared"]) if values["shared"] else None,
                # As JSON text: in strict mode lists are no tuples but there.
                "settings": Finetune.model_validate_json(strict_json.dumps(values["settings"])),
                "prompts": Inference.model_validate_json(strict_json.dumps(values["prompts"])),
            }
        )


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of a tuning, and what it was done with.

    Attributes:
        result: as `finetune` gives it.
        manifest: what each part of the base was stored in.
        device_name: what it ran on.
    """

    result: TrainingResult
    manifest: list[ModuleDtype]
    device_name: str

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        values["result"]["adapter"] = str(self.result.adapter)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        result = values["result"]
        whole = TrainingResult(
            **{
                **result,
                "adapter": Path(result["adapter"]),
                "samples": [Sample(**sample) for sample in result["samples"]],
                "counts": TrainingCounts(**result["counts"]),
                "remembered": [Remembered(**one) for one in result["remembered"]],
                "rejections": [Rejection(**rejection) for rejection in result["rejections"]],
            }
        )
        manifest = [ModuleDtype(**part) for part in values["manifest"]]
        return cls(whole, manifest, values["device_name"])


def finetune_together(
    job: Job,
    environment: Mapping[str, str],
    on_step: OnStep,
    on_samples: OnSamples = ignore_samples,
) -> Tuned:
    """Tune an adapter with several processes; the model is never in this one.

    Losses and adapter are those of one process, but for the last bits of sums in another order, and for
    dropout, which each process draws for itself. The same number of processes gives the same bits on a CPU,
    however often they were killed; another number goes on from their checkpoints as well.

    Args:
        job: what is tuned, and by how many.
        environment: of the processes.
        on_step: told the metrics of every step.
        on_samples: told what the model says of a few rows.

    Raises:
        FoundryError: See `finetune`; also where a process was killed or memory did not suffice.
    """

    def hear(message: Mapping[str, Any]) -> None:
        if _SAMPLES in message:
            on_samples([Sample(**sample) for sample in message[_SAMPLES]])
        elif _LOGGER in message:
            logging.getLogger(message[_LOGGER]).log(message[_LEVEL], "%s", message[_TEXT])
        else:
            on_step(message[_STEP], message[_METRICS])

    values = run_together(
        WORKER,
        job.to_json(),
        job.processes,
        environment,
        hear,
        one_gpu_each=job.device == "cuda",
        threads=job.threads_each,
    )
    return Tuned.from_json(values)


def step_message(step: int, metrics: Mapping[str, float]) -> dict[str, Any]:
    return {_STEP: step, _METRICS: dict(metrics)}


def samples_message(samples: Sequence[Sample]) -> dict[str, Any]:
    return {_SAMPLES: [asdict(sample) for sample in samples]}


def log_message(record: logging.LogRecord) -> dict[str, Any]:
    return {_LOGGER: record.name, _LEVEL: record.levelno, _TEXT: record.getMessage()}
