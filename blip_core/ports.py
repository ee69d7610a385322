"""What a stage needs from a model or a tracker, and nothing more.

The ports of models that write or paint share a contract. Every row comes with its own seed: on the same
machine and in the same batch a row's output depends on its prompt and its seed alone, never on what its
neighbours drew. Where memory runs out a model works its rows in smaller parts, each row under its seed, as if
it had been asked in batches of that size. An empty batch gives an empty list. Sequences of different lengths
raise `ValueError`. `close` may be called twice, and a closed model refuses work with `StageFailure`. A text
that would be chosen by logits that are no numbers is refused with `NotANumber`, which tells the row's place
in the batch.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from PIL.Image import Image

from blip_core.errors import NotANumber
from blip_core.recipes import Section
from blip_core.records import Example, Mode

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
class Embedder(Protocol):
    """Embeds texts: a model of sentence vectors."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 a text, in order; the product of two is their cosine."""
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


class Run(Protocol):
    """One tracked run: an open record of parameters, metrics and files, safe for threads."""

    @property
    def id(self) -> str:
        """Our own name of the run, known before any server was asked."""
        ...

    @property
    def mlflow_id(self) -> str:
        """MLflow's name of the run; empty as long as no server has heard of it."""
        ...

    def params(self, values: Mapping[str, Any]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...

    def tags(self, values: Mapping[str, str]) -> None: ...

    def note(self, markdown: str) -> None:
        """Describe the run on its page; a later note replaces an earlier one."""
        ...

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a file below `folder`."""
        ...

    def dataset(self, name: str, digest: str, path: Path, rows: int, context: str = "training") -> None:
        """Name a dataset the run used; `context` says for what."""
        ...

    def table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Keep rows of JSON values as the table `file` (a name that ends in .json)."""
        ...

    def adapter(
        self,
        path: Path,
        name: str,
        metrics: Mapping[str, float],
        *,
        digest: str = "",
        champion: bool = False,
        served: Mapping[str, str] | None = None,
    ) -> str:
        """Register the adapter in the folder `path` as a version of the model `name`, once a digest.

        `served` says how it answers, for who loads it from the registry.

        Returns:
            The version; empty where no registry answers.
        """
        ...

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> "Run":
        """Open a run below this one."""
        ...

    def finish(self, status: str = "FINISHED") -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        ...


class Tracker(Protocol):
    """Where runs are recorded."""

    @property
    def uri(self) -> str:
        """Where MLflow keeps the runs; empty for a tracker without MLflow."""
        ...

    def start(
        self, experiment: str, name: str, tags: Mapping[str, str], mirrors: Sequence[str] = ()
    ) -> Run: ...
