"""What a stage needs from models that judge rows: scores, weights, embeddings, spans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL.Image import Image

from blip_core.records import Example, Mode


@runtime_checkable
class Judge(Protocol):
    """Answers the questions of rows from their pictures: a model that checks what a labeller said."""

    def answer(self, rows: Sequence[Example]) -> list[str]:
        """One answer a row, in order: a letter where there are options, else a text; empty for none."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@dataclass(frozen=True, slots=True)
class Weight:
    """How likely a judge finds what a label says, as natural logarithms.

    Attributes:
        answer: of the right answer: of its letter among the options, else of its words, a token on average.
        is_right: whether the judge finds no other option likelier; None where there are none to choose from.
        description: of the description, a token on average; None where none was asked for.
    """

    answer: float
    is_right: bool | None
    description: float | None = None


@runtime_checkable
class Weighing(Protocol):
    """A judge that tells how likely it finds what labels say; others need not."""

    def weigh(self, rows: Sequence[Example], mode: Mode = "both") -> list[Weight]:
        """Weigh each row's label, in order.

        Args:
            rows: with the descriptions that their labels give.
            mode: what the judge sees as it answers: picture and description, either alone, or neither. The
                description is weighed where it sees both.
        """
        ...


@runtime_checkable
class HeldOutRows(Protocol):
    """The rows that judge, for whoever keeps them out of what is learnt."""

    def rows(self) -> Iterable[Example]:
        """Each of them; of large sets they are made when they are gone through."""
        ...

    def close(self) -> None:
        """Release what they hold."""
        ...


@runtime_checkable
class PictureTextScorer(Protocol):
    """Says how well texts fit pictures: a model that embeds both, or one that matches them."""

    def score(self, pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[list[float]]:
        """Score each RGB picture with each of its own texts, in order: a cosine, or a probability.

        Raises:
            ValueError: There are not as many lists of texts as pictures.
            NotANumber: A score is none.
        """
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@runtime_checkable
class SafetyChecker(Protocol):
    """Tells which pictures nobody wants to see."""

    def unsafe(self, pictures: Sequence[Image]) -> list[float]:
        """How likely each RGB picture is unsafe, 0 to 1, in order.

        Raises:
            NotANumber: A probability is none.
        """
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@runtime_checkable
class PictureCheck(Protocol):
    """Tells which picture files nobody wants to see; one that holds no picture is told apart."""

    def check(self, pictures: Sequence[bytes]) -> list[float | str]:
        """How likely each is unsafe, 0 to 1, in order; a text says why one cannot be read.

        Raises:
            NotANumber: A probability is none.
            StageFailure: The model does not answer for each.
        """
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


TEXTS_AT_ONCE = 64
"""Texts that an embedder works at once and pads to one length: a vector's last bits hang on the others."""


@runtime_checkable
class Embedder(Protocol):
    """Embeds texts: a model of sentence vectors."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 a text, in order; the product of two is their cosine.

        Any number of them: they are worked `TEXTS_AT_ONCE` at once.
        """
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """An answer that stands in a text.

    Attributes:
        text: as it stands there.
        start: where it begins, in characters.
        score: how far it is ahead of no answer, in logits; more is surer.
    """

    text: str
    start: int
    score: float


@runtime_checkable
class SpanReader(Protocol):
    """Finds answers in texts: an extractive reader."""

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> list[Span | None]:
        """The likeliest answer to each question in its text; None where no answer is likelier."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...
