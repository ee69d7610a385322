"""A model that describes pictures, and an extractive reader that finds answers in what it wrote."""

from collections.abc import Sequence
from dataclasses import replace

from blip_core.inference.answers import Answers
from blip_core.inference.batching import Progress
from blip_core.inference.flagging import NO_SPAN
from blip_core.inference.loaded import Answerer
from blip_core.kinds import kind_of
from blip_core.ports import SpanReader
from blip_core.recipes import Inference
from blip_core.records import Example, Prediction


class ReadingOut:
    """Answers questions from descriptions: the model sees the picture alone, the reader the text alone.

    Args:
        describing: writes the descriptions.
        reader: finds the answers.
    """

    def __init__(self, describing: Answerer, reader: SpanReader) -> None:
        self._describing = describing
        self._reader = reader

    @property
    def unpacking(self) -> str:
        return self._describing.unpacking

    @property
    def remarks(self) -> Sequence[str]:
        return self._describing.remarks

    def answer(
        self, rows: Sequence[Example], settings: Inference, variant: str, on_progress: Progress
    ) -> Answers:
        """Describe each picture, and answer its question by a span of that; empty where none is likelier."""
        answers = self._describing.answer(rows, settings, variant, on_progress)
        asked = [place for place, row in enumerate(rows) if kind_of(row.task).asks]
        spans = self._reader.read(
            [rows[place].question for place in asked],
            [answers.predictions[place].generated for place in asked],
        )
        for place, span in zip(asked, spans, strict=True):
            said = answers.predictions[place]
            answers.predictions[place] = _read(said, span.text.strip() if span else "")
        return answers


def _read(said: Prediction, answer: str) -> Prediction:
    flags = said.flags if answer else f"{said.flags} {NO_SPAN}".strip()
    return replace(said, description=said.generated, generated=answer, flags=flags)
