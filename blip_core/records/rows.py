"""The rows that travel between stages and rest in shards, see `schemas` for their files.

Scene -> Picture -> Label (or Rejection) -> Example -> Prediction. Ids are made of their parents' ids, so
that every row can be walked back to the prompt that started it: scene `nature-00012`, picture
`nature-00012-p0`, label and example `nature-00012-p0-q0`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any, ClassVar, Literal, Self, get_args

from blip_core.errors import NotANumber

Letter = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"]
LETTERS: tuple[Letter, ...] = ("A", "B", "C", "D")
"""The letters of the questions that are grown here, and the fewest that any row has places for."""

OPTION_LETTERS: tuple[Letter, ...] = get_args(Letter)
"""The letters that the questions of a table may have: ten, as in MMMU-Pro (arXiv 2409.02813)."""

NoLetter = Literal[""]
"""What stands in place of a letter where an answer names none."""
NO_PROBABILITIES = "no-probabilities"
"""Flag of a prediction whose model told a letter and not how likely it was."""

WITH_OPTIONS = "mcq"
"""The kind of rows that files do not name, because there was no other when they were written."""

Mode = Literal["both", "one-stage", "description-only", "blind", "options"]
"""What a model sees when it answers: picture and description, either alone, or neither; or words to
choose from in place of a caption."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


DESCRIPTION_SCORE = "labeller-description"
"""Name of the score that says how sure a labeller was of its description: mean log-probability a token."""
ANSWER_SCORE = "labeller-answer"
"""The same of the words of the right answer."""
LABEL_SCORE = "labeller-label"
"""The same of both together, each token as one: its product over tokens is the label's likelihood."""

NAMED = ("scores", "attributes")  # maps, which rest as lists, because `datasets` reads no maps


class Row:
    """What all records share: they come from and go to flat Arrow rows.

    Attributes:
        LATER: fields that files may lack, because there were none when they were written or because they are
            empty in all rows.
    """

    __slots__ = ()
    LATER: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        return cls(**row)

    def to_row(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, slots=True)
class Scene(Row):
    """One scene that a language model wrote; `call` numbers the request, `line` the item of its list."""

    id: str
    category: str
    text: str
    call: int
    line: int


@dataclass(frozen=True, slots=True)
class Picture(Row):
    """One painted picture; `png` holds its encoded bytes and `sha256` their digest."""

    id: str
    scene_id: str
    category: str
    scene: str
    seed: int
    png: bytes
    sha256: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Label(Row):
    """What a labeller said of a picture.

    Options are shuffled, and `answer` is the letter after shuffling; without options it is the answer's text.
    `scores` are how sure the labeller was, where it tells: `DESCRIPTION_SCORE`, `ANSWER_SCORE` and
    `LABEL_SCORE`, mean log-probabilities a token.
    """

    LATER: ClassVar[frozenset[str]] = frozenset({"scores"})

    id: str
    picture_id: str
    description: str
    question: str
    a: str
    b: str
    c: str
    d: str
    answer: str
    attempt: int
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        return cls(**{**row, "scores": _map(row, "scores")})

    def to_row(self) -> dict[str, Any]:
        return {**asdict(self), "scores": _list(self.scores)}

    @property
    def options(self) -> tuple[str, str, str, str]:
        return self.a, self.b, self.c, self.d


@dataclass(frozen=True, slots=True)
class Example(Row):
    """What trains or judges a model.

    `image` holds encoded bytes, `group` the unit of splitting (its scene) and `picture_id` the unit of
    clustering. For the tasks `caption` and `vqa` the options are empty and `target` is the text to learn;
    for `mcq` `answer` is the letter and `target` the text of the right option. A question has two options at
    least: places after the last one are empty, and `more` holds those from E on, where a table has them.
    `context` is a text that belongs to the question, where a table has one. `references` are all right texts,
    `target` among them, where several people were asked; else it is empty. `scores` and `attributes` hold
    what annotation steps found, by name; `mended` is the text as it was before a step mended it.
    """

    LATER: ClassVar[frozenset[str]] = frozenset({"context", "references", "scores", "attributes", "mended"})

    id: str
    picture_id: str
    group: str
    category: str
    task: str
    image: bytes
    description: str
    question: str
    a: str
    b: str
    c: str
    d: str
    answer: str
    target: str
    scene: str
    kind: str = ""
    more: tuple[str, ...] = ()
    context: str = ""
    references: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    mended: str = ""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        many = {name: tuple(row.get(name) or ()) for name in ("more", "references")}
        return cls(**{**row, **many, **_maps(row), "image": row["image"]["bytes"]})

    @classmethod
    def asked(
        cls, name: str, task: str, image: bytes, question: str, options: Sequence[str] = (), context: str = ""
    ) -> Self:
        """A row that somebody asks now: nothing is known of it but what is asked, and it stands alone."""
        row = cls(
            id=name,
            picture_id=name,
            group=name,
            category="",
            task=task,
            image=image,
            description="",
            question=question,
            a="",
            b="",
            c="",
            d="",
            answer="",
            target="",
            scene="",
            context=context,
        )
        places = max(len(LETTERS), len(options))
        return row.with_options([*options, *[""] * places][:places])

    def to_row(self) -> dict[str, Any]:
        """The picture goes out as Hugging Face's `Image` rests: bytes and no path."""
        return {**asdict(self), **_lists(self), "image": {"bytes": self.image, "path": None}}

    @property
    def options(self) -> tuple[str, ...]:
        """In the order of their letters; four places at least, empty after the last option."""
        return self.a, self.b, self.c, self.d, *self.more

    @property
    def offered(self) -> int:
        """How many options there are: those before the first empty place, or all where none is written."""
        written = [bool(option) for option in self.options]
        return written.index(False) if True in written and False in written else len(written)

    def with_options(self, options: Sequence[str]) -> Self:
        """The same question with other options: four or more, empty after the last one."""
        a, b, c, d, *more = options
        return replace(self, a=a, b=b, c=c, d=d, more=tuple(more))


@dataclass(frozen=True, slots=True)
class Prediction(Row):
    """What one variant said of one example.

    `offered` is how many options the question has. `p_a` ... `p_d`, and `p_more` from E on, are the letters'
    probabilities among them, 0 beyond, and `ranked` is the most probable one; where an answer told neither
    probabilities nor a letter they are 0 and it is empty: nothing is guessed. Where it told a letter alone,
    that one has it all, under the flag `no-probabilities`.
    `generated` is the text written freely and `generated_letter` the letter read from it, empty when
    there is none. `truth` is the example's answer. `mode` says what the model saw. Where every rotation of
    the options was asked, as many as there are options, `rotations_right` counts those answered right and
    `mean_a` ... `mean_d` and `mean_more` are the options' probabilities averaged over the rotations, under
    the letters of the unrotated question.
    `flags` holds slugs of what is odd about the row, parted by spaces.
    `task` is the kind of the row. One without options has neither probabilities nor letters: its text stands
    in `generated`, and the right one, where it is known, in `target`; where there are several, all of them in
    `references`. `attributes` are those of the example, and `scores` what models found of the text, by name.

    Raises:
        NotANumber: A probability is none: the largest of such would be the first letter's.
    """

    LATER: ClassVar[frozenset[str]] = frozenset({"task", "target", "references", *NAMED})

    id: str
    picture_id: str
    category: str
    kind: str
    variant: str
    description: str
    p_a: float
    p_b: float
    p_c: float
    p_d: float
    ranked: Letter | NoLetter
    generated: str
    generated_letter: str
    truth: str
    mode: Mode = "both"
    rotations_right: int | None = None
    mean_a: float | None = None
    mean_b: float | None = None
    mean_c: float | None = None
    mean_d: float | None = None
    flags: str = ""
    offered: int = 4
    p_more: tuple[float, ...] = ()
    mean_more: tuple[float, ...] = ()
    task: str = WITH_OPTIONS
    target: str = ""
    references: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not all(map(isfinite, (*self.probabilities, *(self.means or ())))):
            raise NotANumber(
                f"the probabilities of row {self.id} are NaN or infinite where {self.variant!r} answered it: "
                f"{self.probabilities}; let it answer again, in bfloat16 or float32"
            )

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        many = {name: tuple(row.get(name) or ()) for name in ("p_more", "mean_more", "references")}
        return cls(**{**row, **many, **_maps(row)})

    def to_row(self) -> dict[str, Any]:
        return {**asdict(self), **_lists(self)}

    @property
    def is_right(self) -> bool:
        return bool(self.ranked) and self.ranked == self.truth

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the letters in their order, four at least."""
        return self.p_a, self.p_b, self.p_c, self.p_d, *self.p_more

    @property
    def means(self) -> tuple[float, ...] | None:
        """Averaged over rotations, of the letters in their order; None where there were none."""
        if self.mean_a is None or self.mean_b is None or self.mean_c is None or self.mean_d is None:
            return None
        return self.mean_a, self.mean_b, self.mean_c, self.mean_d, *self.mean_more

    @property
    def tells_probabilities(self) -> bool:
        """Whether the model told how likely the letters were, rather than a letter alone, or none."""
        return any(self.probabilities) and NO_PROBABILITIES not in self.flags.split()

    @property
    def margin(self) -> float:
        """Probability of the best option less that of the second best, 0 to 1."""
        best, second, *_ = sorted(self.probabilities, reverse=True)
        return best - second


def most_offered(examples: Iterable[Example]) -> int:
    """Options of the question that has most of them."""
    return max((example.offered for example in examples), default=len(LETTERS))


def _maps(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _map(row, name) for name in NAMED}


def _map(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {one["name"]: one["value"] for one in row.get(name) or ()}


def _lists(row: "Example | Prediction") -> dict[str, list[dict[str, Any]]]:
    return {name: _list(getattr(row, name)) for name in NAMED}


def _list(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": key, "value": value} for key, value in named.items()]
