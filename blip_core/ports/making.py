"""What a stage needs from a model that writes, paints or labels, and nothing more.

The ports of models that write or paint share a contract. Every row comes with its own seed: on the same
machine and in the same batch a row's output depends on its prompt and its seed alone, never on what its
neighbours drew. Where memory runs out a model works its rows in smaller parts, each row under its seed, as if
it had been asked in batches of that size. An empty batch gives an empty list. Sequences of different lengths
raise `ValueError`. `close` may be called twice, and a closed model refuses work with `StageFailure`. A text
that would be chosen by logits that are no numbers is refused with `NotANumber`, which tells the row's place
in the batch.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import Enum
from itertools import pairwise
from typing import Generic, Protocol, TypeVar, runtime_checkable

from PIL.Image import Image

from blip_core.errors import NotANumber
from blip_core.recipes import Section

Progress = Callable[[int, int], None]  # rows done, rows in all
_SEED_BYTES = 6  # fits exactly into the integers of JSON, Arrow and every random generator in use


def row_seed(seed: int, *parts: str | int) -> int:
    """Derive the seed of one row (48 bits) from the run's seed and the names of the row and its attempt."""
    text = "|".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_SEED_BYTES])


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


class NoPicture(Enum):
    """Why a painter gives no picture of a prompt; the value is the reason of a rejection."""

    REFUSED = "refused-by-painter"
    """A safety check refused it."""
    NO_NUMBERS = "no-numbers"
    """Its pixels are NaN."""


@contextmanager
def rows_named(names: Sequence[str]) -> Iterator[None]:
    """Add the name of a row to what a model says of its place in the batch that is worked on inside.

    Raises:
        NotANumber: As the model raised it, with the row's name in front.
    """
    try:
        yield
    except NotANumber as error:
        if error.place is None:
            raise
        raise NotANumber(f"{names[error.place]}: {error}") from error


@runtime_checkable
class TextWriter(Protocol):
    """Writes text for prompts: a language model."""

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Continue each prompt under its own seed; one text a prompt, in order, without the prompt."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@runtime_checkable
class Painter(Protocol):
    """Paints pictures of prompts: a diffusion model."""

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | NoPicture]:
        """Paint each prompt under its own seed; RGB pictures in order, or why there is none."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@runtime_checkable
class Labeller(Protocol):
    """Says something of pictures: a vision-language model."""

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its RGB picture under its own seed; text without the prompt, in order."""
        ...

    def close(self) -> None:
        """Release the model's memory."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and how likely each of its tokens was to the model that wrote it.

    Attributes:
        text: without the prompt.
        starts: where each token begins in it, in characters, ascending; empty where nobody tells.
        log_probabilities: of the tokens that were drawn, one a token, natural logarithms. A model that is
            loaded here tells those of its own distribution, the log-softmax of its logits in float32, before
            temperature and nucleus; a server's are as it tells them.
    """

    text: str
    starts: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.log_probabilities):
            raise ValueError(
                f"a text of {len(self.starts)} tokens and {len(self.log_probabilities)} log-probabilities: "
                "there must be one for each token, or neither"
            )

    def confidence(self, *places: tuple[int, int]) -> float | None:
        """Mean log-probability of the tokens that wrote some characters; None where it is not told.

        A token that reaches beyond them counts: where words part is not where tokens do.

        Args:
            places: begin and end of each run of characters.
        """
        bounds = pairwise((*self.starts, len(self.text)))
        within = [
            chance
            for (begin, end), chance in zip(bounds, self.log_probabilities, strict=True)
            if any(begin < stop and (end > start or begin >= start) for start, stop in places)
        ]
        return sum(within) / len(within) if within else None


@runtime_checkable
class Confident(Protocol):
    """A labeller that knows how likely the tokens were that it drew; others need not."""

    def label_with_confidence(
        self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[Written]:
        """Answer as `Labeller.label` does, with the same texts, and tell how likely their tokens were."""
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """A model that is loaded here, and knows how long a text is to it."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, in order, without those that its tokenizer puts around a text."""
        ...


@dataclass(frozen=True, slots=True)
class Costs:
    """What a model that is not loaded here has cost.

    Attributes:
        requests: that were sent.
        repeated: those among them that asked for the same answer again.
        prompt_tokens: that were read, as far as the server tells.
        written_tokens: that were written, as far as the server tells.
        cut: answers that reached the longest length.
        seconds: in which at least one request was under way.
    """

    requests: int = 0
    repeated: int = 0
    prompt_tokens: int = 0
    written_tokens: int = 0
    cut: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Costs") -> "Costs":
        return Costs(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Costs") -> "Costs":
        return Costs(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@runtime_checkable
class Metered(Protocol):
    """A model that counts what it costs."""

    @property
    def costs(self) -> Costs:
        """What it has cost since it was built."""
        ...


Settings = TypeVar("Settings", bound=Section)
Model = TypeVar("Model", TextWriter, Painter, Labeller)


@dataclass(frozen=True, slots=True)
class Backend(Generic[Settings, Model]):
    """How a package of somebody else's brings a writer, a painter or a labeller.

    Attributes:
        settings: what a recipe may set of it.
        build: loads it, given its settings and the device it runs on, `cpu` or `cuda`.
        words: what it does, for people, in one line.
    """

    settings: type[Settings]
    build: Callable[[Settings, str], Model]
    words: str = ""
