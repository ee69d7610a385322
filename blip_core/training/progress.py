"""How far a tuning has come."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from blip_core.training.sampling import Sample


@dataclass
class Progress:
    """All that a tuning has done so far and that is no tensor; goes through JSON unchanged.

    Attributes:
        micro_batch_size: rows in one pass; halved where memory runs out.
        step: steps taken.
        curve: metrics by step; all are finite.
        samples: what the model said of a few rows.
        best_loss: lowest validation loss after a step; None before the first.
        best_step: the step it belongs to.
        looks_without_better: validations since then.
        stopped_early: whether there were too many of these.
        places: positions that the language model ran on, pads included.
        pads: how many of these were pads.
        bad_steps: steps that were skipped, each with the ids of the rows that made its loss no number.
        seconds: wall time of earlier processes, up to their last checkpoint.
        began: this process's clock, in seconds, when it took over.
    """

    micro_batch_size: int
    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    best_loss: float | None = None
    best_step: int = 0
    looks_without_better: int = 0
    stopped_early: bool = False
    places: int = 0
    pads: int = 0
    bad_steps: dict[int, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def padded_share(self) -> float:
        return self.pads / self.places if self.places else 0.0

    @property
    def all_seconds(self) -> float:
        """Wall time of all processes so far."""
        return self.seconds + time.monotonic() - self.began

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        del values["began"]
        return {**values, "seconds": self.all_seconds}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        samples = [Sample(**sample) for sample in values["samples"]]
        bad_steps = {int(step): ids for step, ids in values["bad_steps"].items()}
        return cls(**{**values, "samples": samples, "bad_steps": bad_steps})
