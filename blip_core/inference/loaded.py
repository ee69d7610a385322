"""A model that is loaded here and ready to answer, and what answers rows whoever it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from blip_core.inference.answers import Answers
from blip_core.inference.batching import Progress
from blip_core.inference.by_options import by_options
from blip_core.inference.predicting import answer
from blip_core.modeling import Blip2Bundle
from blip_core.modeling.features import VisionStates
from blip_core.recipes import Inference
from blip_core.records import Example


class Answerer(Protocol):
    """Who answers rows: a model that is loaded here, or one behind a server."""

    @property
    def unpacking(self) -> str: ...

    @property
    def remarks(self) -> Sequence[str]: ...

    def answer(
        self, rows: Sequence[Example], settings: Inference, variant: str, on_progress: Progress, /
    ) -> Answers: ...


@dataclass(frozen=True)
class LoadedModel:
    """A variant that is loaded here.

    Attributes:
        bundle: the model, with the adapter that it carries.
        states: where it takes outputs of the vision tower from; None, it encodes what it answers itself.
        unpacking: whether its language model was unpacked, and why.
        remarks: what whoever started the run should know of it besides.
    """

    bundle: Blip2Bundle
    states: VisionStates | None
    unpacking: str
    remarks: Sequence[str] = ()

    def answer(
        self, rows: Sequence[Example], settings: Inference, variant: str, on_progress: Progress
    ) -> Answers:
        """Answer rows, see `inference.answer`; captions also by ranked options where the settings say so."""
        answers = answer(self.bundle, rows, settings, variant, on_progress, states=self.states)
        answers.ablations += by_options(rows, settings, variant, partial(self._choose, variant, answers))
        return answers

    def _choose(self, variant: str, whole: Answers, rows: Sequence[Example], settings: Inference) -> Answers:
        """Answer rows with options; what it takes counts with `whole`."""
        found = answer(self.bundle, rows, settings, variant, states=self.states)
        whole.counts.include(replace(found.counts, rows=0))
        return found
