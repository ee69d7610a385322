"""What the model says of a few rows while it is tuned, so that people can watch it learn."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from blip_core.inference.predicting import predict
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Prediction

if TYPE_CHECKING:
    from blip_core.modeling.features import VisionStates


@dataclass(frozen=True, slots=True)
class Sample:
    """What the model said of one row at one step.

    Attributes:
        step: optimiser steps taken before.
        id: of the example.
        question: what was asked.
        description: what it saw, in stage one; empty without one.
        answer: the letter it ranked first; without options, the text it wrote.
        truth: the right letter or text.
        written: the answer it wrote freely.
    """

    step: int
    id: str
    question: str
    description: str
    answer: str
    truth: str
    written: str = ""

    def to_row(self) -> dict[str, Any]:
        return asdict(self)


OnSamples = Callable[[Sequence[Sample]], None]


def while_training(asking: Inference) -> Inference:
    """How rows are asked on the way: once, by the weights as they are trained, letters ranked."""
    return asking.once().model_copy(update={"ranking": "letters", "dense": "never"})


def ignore_samples(samples: Sequence[Sample]) -> None:
    """Show nobody."""


def handful(examples: Sequence[Example], rows: int) -> list[Example]:
    """So many examples, always the same ones: of each kind of question in turn, other pictures first."""
    kinds: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda one: one.id):
        kinds.setdefault(example.kind or example.category, []).append(example)
    turns = [(turn, kind, one) for kind, ones in kinds.items() for turn, one in enumerate(ones)]
    in_turn = [one for _, _, one in sorted(turns, key=lambda item: item[:2])]
    seen = {one.picture_id: one for one in reversed(in_turn)}
    first = [one for one in in_turn if seen[one.picture_id] is one]
    again = [one for one in in_turn if seen[one.picture_id] is not one]
    return [*first, *again][:rows]


class Sampler:
    """Lets a model that is being tuned answer the same few rows again and again.

    Args:
        bundle: the model, with its adapter.
        examples: the rows; see `handful`.
        states: where the vision states of their pictures are kept.
        prompts: the wording of both stages, as inference uses it.
    """

    def __init__(
        self, bundle: Blip2Bundle, examples: Sequence[Example], states: "VisionStates", prompts: Inference
    ) -> None:
        self._bundle = bundle
        self._examples = list(examples)
        self._states = states
        self._settings = while_training(prompts)

    def sample(self, step: int) -> list[Sample]:
        """Describe and answer every row as the model is now; the training goes on as if nothing had been.

        Args:
            step: optimiser steps taken so far, to be noted with the samples.
        """
        if not self._examples:
            return []
        with undisturbed(self._bundle.model, self._bundle.device):
            said = predict(self._bundle, self._examples, self._settings, "", states=self._states)
        return [
            Sample(step, row.id, row.question, one.description, *_said(row, one), one.generated)
            for row, one in zip(self._examples, said, strict=True)
        ]


def _said(row: Example, one: Prediction) -> tuple[str, str]:
    """What was answered and what is right: letters, or texts where there are no options."""
    return (one.ranked, one.truth) if one.offered else (one.generated, row.target)


@contextmanager
def undisturbed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluate a model in the middle of its training: modes and random states are as they were afterwards."""
    training = [module for module in model.modules() if module.training]
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module in training:
                module.training = True
