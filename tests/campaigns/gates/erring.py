"""The bundled labeller, erring as a poor one would: as often and in the ways of the study's faults."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from blip_core.kinds import kind_of
from blip_core.kinds.label_text import ParsedLabel, places_of_label
from blip_core.ports import Confident, Written
from blip_core.records import LETTERS
from tests.benchmarks.gates_rescoring import Rescorer
from tests.benchmarks.gates_world import FAULTS, SWAPPED_LABEL, WRONG_ANSWER, described_as, exchanged

MCQ = kind_of("mcq")
APART = 3  # rows of a batch: the next ones may ask about the same picture


class ErringLabeller:
    """Writes what the bundled labeller writes, and in a share of the rows something that is wrong.

    A third each calls another option right, says what belongs to another picture, or describes another one.
    What it says in place of the truth is as likely as the bundled labeller finds it of this picture.

    Args:
        labeller: the bundled one.
        rescorer: finds out how likely a text is.
        share: of the rows, 0 to 1.
    """

    def __init__(self, labeller: Confident, rescorer: Rescorer, share: float) -> None:
        self._labeller = labeller
        self._rescorer = rescorer
        self._share = share

    def label_with_confidence(
        self, pictures: Sequence[Image.Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[Written]:
        """As the port has it; which rows err is drawn by their seeds."""
        written = self._labeller.label_with_confidence(pictures, prompts, seeds)
        wrong = {
            place: said
            for place, seed in enumerate(seeds)
            if (said := self._mistaken(written, place, seed)) is not None
        }
        scored = self._rescorer.scored([pictures[place] for place in wrong], list(wrong.values()))
        told = dict(zip(wrong, scored, strict=True))
        return [told.get(place, one) for place, one in enumerate(written)]

    def label(
        self, pictures: Sequence[Image.Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[str]:
        """As the port has it."""
        return [one.text for one in self.label_with_confidence(pictures, prompts, seeds)]

    def close(self) -> None:
        """Close the bundled one."""
        self._labeller.close()  # type: ignore[attr-defined]  # every labeller can be closed

    def _mistaken(self, written: Sequence[Written], place: int, seed: int) -> Written | None:
        rng = np.random.default_rng(seed)
        own, other = written[place], written[(place + APART) % len(written)]
        labels = [MCQ.parse_label(one.text) for one in (own, other)]
        if (
            rng.random() >= self._share
            or other is own
            or not all(isinstance(one, ParsedLabel) for one in labels)
        ):
            return None
        fault = FAULTS[int(rng.integers(len(FAULTS)))]
        if fault == SWAPPED_LABEL:
            return other
        if fault == WRONG_ANSWER:
            return _answered_wrongly(own, rng)
        return described_as(own, other)


def _answered_wrongly(written: Written, rng: np.random.Generator) -> Written:
    """Another option where the right one is written, and the right one in its place."""
    label = MCQ.parse_label(written.text)
    assert isinstance(label, ParsedLabel)
    others = [letter for letter in LETTERS if letter != label.answer]
    wrong = others[int(rng.integers(len(others)))]
    right_at = places_of_label(written.text, label)["answer"]
    wrong_at = places_of_label(written.text, replace(label, answer=wrong))["answer"]
    return exchanged(written, right_at, wrong_at)
