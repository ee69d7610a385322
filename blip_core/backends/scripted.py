"""Scripted doubles of the model ports, for dry runs and tests: they say what they were told to, and count.

A double whose script runs out raises instead of making something up. Scripts may be endless iterators.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from PIL.Image import Image

from blip_core.errors import StageFailure
from blip_core.ports import NoPicture, Span

Line = TypeVar("Line")


class _Script(Generic[Line]):
    """Hands out the lines of a script in order."""

    def __init__(self, owner: object, lines: Iterable[Line]) -> None:
        self._owner = type(owner).__name__
        self._lines: Iterator[Line] = iter(lines)
        self._given = 0
        self._is_closed = False

    def take(self, count: int) -> list[Line]:
        if self._is_closed:
            raise StageFailure(f"{self._owner} was closed and takes no more work.")
        return [self._next() for _ in range(count)]

    def close(self) -> None:
        self._is_closed = True

    def _next(self) -> Line:
        try:
            line = next(self._lines)
        except StopIteration:
            raise StageFailure(f"The script of {self._owner} ran out after {self._given} rows.") from None
        self._given += 1
        return line


class ScriptedWriter:
    """Answers prompts with the next texts of a script; `calls` keeps the (prompt, seed) of each row.

    Raises:
        StageFailure: when the script runs out.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._script = _Script(self, texts)
        self.calls: list[tuple[str, int]] = []

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Give the next texts; see `TextWriter`."""
        rows = list(zip(prompts, seeds, strict=True))
        texts = self._script.take(len(rows))
        self.calls += rows
        return texts

    def close(self) -> None:
        """Refuse further work."""
        self._script.close()


class ScriptedPainter:
    """Answers prompts with the next pictures of a script; `calls` keeps the (prompt, seed) of each row.

    Raises:
        StageFailure: when the script runs out.
    """

    def __init__(self, pictures: Iterable[Image | NoPicture]) -> None:
        self._script = _Script(self, pictures)
        self.calls: list[tuple[str, int]] = []

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        """Give the next pictures; see `Painter`."""
        rows = list(zip(prompts, seeds, strict=True))
        pictures = self._script.take(len(rows))
        self.calls += rows
        return pictures

    def close(self) -> None:
        """Refuse further work."""
        self._script.close()


class ScriptedLabeller:
    """Answers prompts about pictures with the next texts of a script; `calls` keeps each row's (prompt,
    seed).

    Raises:
        StageFailure: when the script runs out.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._script = _Script(self, texts)
        self.calls: list[tuple[str, int]] = []

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Give the next texts; see `Labeller`."""
        rows = [(prompt, seed) for _, prompt, seed in zip(pictures, prompts, seeds, strict=True)]
        texts = self._script.take(len(rows))
        self.calls += rows
        return texts

    def close(self) -> None:
        """Refuse further work."""
        self._script.close()


class ScriptedScorer:
    """Answers pictures with the next lists of scores of a script; `calls` keeps the texts of each row.

    Raises:
        StageFailure: when the script runs out.
    """

    def __init__(self, scores: Iterable[Sequence[float]]) -> None:
        self._script = _Script(self, scores)
        self.calls: list[tuple[str, ...]] = []

    def score(self, pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[list[float]]:
        """Give the next scores; see `PictureTextScorer`."""
        rows = [tuple(asked) for _, asked in zip(pictures, texts, strict=True)]
        scores = [list(one) for one in self._script.take(len(rows))]
        self.calls += rows
        return scores

    def close(self) -> None:
        """Refuse further work."""
        self._script.close()


class ScriptedEmbedder:
    """Answers texts with the next vectors of a script; `calls` keeps the texts.

    Raises:
        StageFailure: when the script runs out.
    """

    def __init__(self, vectors: Iterable[Sequence[float]]) -> None:
        self._script = _Script(self, vectors)
        self.calls: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Give the next vectors; see `Embedder`."""
        vectors = [list(one) for one in self._script.take(len(texts))]
        self.calls += texts
        return vectors

    def close(self) -> None:
        """Refuse further work."""
        self._script.close()


class ScriptedReader:
    """Answers questions with the next spans of a script; `calls` keeps the (question, text) of each row.

    Raises:
        StageFailure: when the script runs out.
    """

    def __init__(self, spans: Iterable[Span | None]) -> None:
        self._script = _Script(self, spans)
        self.calls: list[tuple[str, str]] = []

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> list[Span | None]:
        """Give the next spans; see `SpanReader`."""
        rows = list(zip(questions, texts, strict=True))
        spans = self._script.take(len(rows))
        self.calls += rows
        return spans

    def close(self) -> None:
        """Refuse further work."""
        self._script.close()
