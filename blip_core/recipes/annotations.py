"""What is found out about rows, or written to them, before the gates see them: one section a step."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from blip_core.recipes.base import (
    BatchSize,
    NewTokens,
    Section,
    Share,
    Slug,
    Temperature,
    TopP,
    check_placeholders,
)
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.parts import Settings, complete_settings
from blip_core.texts import loose

LABELLER = "labeller"
MIN_WORDS = 2  # of a bank: of one word it is known beforehand which is best

TextField = Literal["target", "description"]
Models = Iterator[tuple[str, Checkpoint]]

ROW_PLACES = frozenset({"target", "description", "category", "kind", "context"})
"""What a template may take from a row beside its attributes."""


class _Step(Section):
    """What is known of any step."""

    @property
    def name(self) -> str:
        """What its words and its code are found by."""
        return str(getattr(self, "step"))  # noqa: B009 - each member of the union declares its own literal

    def checkpoints(self) -> Models:
        """Every checkpoint that it loads, with the field that names it."""
        return iter(())

    @property
    def drafts_by(self) -> str:
        """`labeller` or the phase whose adapter writes; empty, nobody drafts."""
        return ""


class _Writing(_Step):
    """A step that a language model writes for."""

    model: Checkpoint = Checkpoint(id="Qwen/Qwen1.5-1.8B-Chat", dtype="bfloat16")
    """Language model that writes."""
    temperature: Temperature = 0.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: TopP = 0.95
    """Probability mass that is sampled from."""
    max_new_tokens: NewTokens = 256
    """Longest text, in tokens."""
    batch_size: BatchSize = 8
    """Texts written at once."""

    def checkpoints(self) -> Models:
        yield "model", self.model


class _Describing(_Step):
    """A step that the labeller, or an earlier phase's adapter, writes for."""

    by: Slug = LABELLER
    """Who writes: `labeller`, or an earlier phase, whose adapter does."""
    temperature: Temperature = 0.0
    """Sampling temperature of the labeller; an adapter takes the likeliest token."""
    max_new_tokens: NewTokens = 128
    """Longest text, in tokens."""
    batch_size: BatchSize = 8
    """Pictures described at once."""

    @property
    def drafts_by(self) -> str:
        return self.by


class Draft(_Describing):
    """The labeller, or the adapter of an earlier phase, describes each picture."""

    step: Literal["draft"]
    """A model describes each picture."""
    prompt: str = Field(default="<image>\na photo of", min_length=1, max_length=2_000)
    """What is asked; <image> marks where the picture stands."""
    writes: TextField = "description"
    """Where the text goes: beside the row's own text, or in its place."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_image(self.prompt)
        return self


class Bank(Section):
    """Words of which at most one fits a picture."""

    name: Slug
    """Name of the attribute, as `colour`."""
    words: tuple[str, ...] = Field(strict=False)
    """The words, two at least."""
    prompt: str = Field(default="a photo of a {word} object", max_length=500)
    """Text that a picture is compared with; {word} is filled in."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.words) < MIN_WORDS:
            raise ValueError(
                f"the bank {self.name} holds {len(self.words)} word(s): which fits best is only asked of two "
                "or more; add words, or leave the bank out"
            )
        _refuse_alike(f"the bank {self.name}", self.words)
        check_placeholders("prompt", self.prompt, {"word"})
        return self


class Attributes(_Step):
    """The word of each bank that fits a picture best, or none, by a model that compares both."""

    step: Literal["attributes"]
    """Pictures are compared with banks of words."""
    model: Checkpoint = Checkpoint(id="openai/clip-vit-base-patch32")
    """Model that compares: CLIP, SigLIP or another that embeds both, or BLIP-2 for image-text matching."""
    banks: tuple[Bank, ...] = Field(min_length=1, strict=False)
    """Banks of words, one an attribute."""
    undefined: str = Field(default="undefined", min_length=1, max_length=100)
    """What stands where no word of a bank fits."""
    quantile: Share = 0.95
    """Share of shuffled pairs of picture and word that score below the bound a word must reach."""
    writes: str = Field(default="", max_length=1_000)
    """Template of the text to learn, with {NAME} of banks and known attributes, {target}; empty, it stays."""
    batch_size: BatchSize = 32
    """Pictures compared at once."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [bank.name for bank in self.banks]
        _refuse_alike("banks", names)
        for bank in self.banks:
            if loose(self.undefined) in map(loose, bank.words):
                raise ValueError(
                    f"undefined is {self.undefined!r}, which the bank {bank.name} holds as a word: what "
                    "stands for none must be another"
                )
        return self

    def checkpoints(self) -> Models:
        yield "model", self.model


class Match(_Step):
    """How well texts fit their pictures; the better one is kept, or neither."""

    step: Literal["match"]
    """Texts are matched with pictures, the better one above a bound is kept."""
    model: Checkpoint = Checkpoint(id="Salesforce/blip2-itm-vit-g", dtype="float16")
    """Model that matches: BLIP-2 for image-text matching, or one that embeds both, as CLIP."""
    texts: tuple[TextField, ...] = Field(default=("target", "description"), min_length=1, strict=False)
    """Which texts of a row are matched; of equal scores the earlier one is kept."""
    min_score: float = Field(default=0.5, ge=-1.0, le=1.0)
    """Least score: a probability of matching models, a cosine of others."""
    batch_size: BatchSize = 16
    """Pictures matched at once."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_alike("texts", self.texts)
        return self

    def checkpoints(self) -> Models:
        yield "model", self.model


class QuestionTemplate(Section):
    """A question with its answer, from what is known of a row."""

    question: str = Field(min_length=1, max_length=500)
    """The question; {NAME} of attributes and {category}, {target} and such are filled in."""
    answer: str = Field(min_length=1, max_length=500)
    """The answer, filled in likewise."""


class Ask(_Writing):
    """Questions with answers: from attributes by templates, or from texts by a language model."""

    step: Literal["ask"]
    """Questions are made of what is known of each row."""
    by: Literal["templates", "writer"] = "templates"
    """Who asks."""
    templates: tuple[QuestionTemplate, ...] = Field(default=(), strict=False)
    """Questions from attributes; one whose attribute is undefined is not asked."""
    undefined: str = Field(default="undefined", min_length=1, max_length=100)
    """Word of an attribute that was not found."""
    prompt: str = Field(
        default="Write a question about this text, and its answer in the words of the text.\n\n"
        "Text: {text}\n\nWrite two lines: Question: ... and Answer: ...",
        max_length=4_000,
    )
    """What the writer is asked; {text} is filled in."""
    text: TextField = "description"
    """Which text the writer asks about, and the answer is looked for in."""
    per_row: int = Field(default=1, ge=1, le=32)
    """Questions that the writer is asked for, a row."""
    check: Literal["text", "reader", "none"] = "text"
    """How an answer is found again: in the text by its words, by a model that reads it, or not at all."""
    reader: Checkpoint = Checkpoint(id="timpal0l/mdeberta-v3-base-squad2")
    """Model that reads answers out of texts."""
    keep_asked: bool = False
    """Whether the rows that were asked about are kept beside the questions."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.by == "templates" and not self.templates:
            raise ValueError("by is templates, but templates is empty: write one, or let by be writer")
        if self.by == "writer" and self.templates:
            raise ValueError("by is writer, but templates are given: leave them out, or let by be templates")
        if self.by == "writer" and self.per_row > 1 and self.temperature == 0:
            raise ValueError(
                f"per_row is {self.per_row} and temperature is 0: all questions of a row would be the same; "
                "raise the temperature or ask for one"
            )
        check_placeholders("prompt", self.prompt, {"text"})
        return self

    def checkpoints(self) -> Models:
        if self.by == "writer":
            yield "model", self.model
            if self.check == "reader":
                yield "reader", self.reader


class Continue(_Describing):
    """Texts that are too short are gone on with by whoever drafted them."""

    step: Literal["continue"]
    """Short texts are gone on with."""
    prompt: str = Field(default="<image>\nContinue: {text}", max_length=2_000)
    """What is asked; <image> marks where the picture stands, {text} what there is."""
    text: TextField = "target"
    """Which text is gone on with."""
    min_tokens: int = Field(default=80, ge=1, le=10_000)
    """Texts of fewer tokens are gone on with; words are counted where the model is another machine's."""
    rounds: int = Field(default=1, ge=1, le=10)
    """Times that a text is gone on with at most."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_image(self.prompt)
        check_placeholders("prompt", self.prompt, {"text"})
        return self


class Repair(_Writing):
    """A text is mended, or returned as it is; the text before it is kept beside."""

    step: Literal["repair"]
    """A language model or rules mend texts."""
    by: Literal["writer", "rules"] = Field(default="writer", exclude_if=lambda by: by == "writer")
    """Who mends: a language model, or rules, which leave out repeated sentences and an unfinished end."""
    prompt: str = Field(
        default="Correct the mistakes in this text: repetitions, broken words, unfinished sentences. Write "
        "the corrected text alone; where nothing is wrong, write it as it is.\n\n{text}",
        max_length=4_000,
    )
    """What the writer is asked; {text} is filled in."""
    text: TextField = "target"
    """Which text is mended."""
    min_kept: Share = 0.5
    """Least share of the mended text's words that the text had: below, it is another text."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_placeholders("prompt", self.prompt, {"text"})
        return self

    def checkpoints(self) -> Models:
        if self.by == "writer":
            yield from super().checkpoints()


class Translate(_Writing):
    """Texts in another language, translated back to see what was lost."""

    step: Literal["translate"]
    """A language model translates, there and back."""
    there: str = Field(default="Translate into Portuguese:\n\n{text}", max_length=2_000)
    """What is asked for the translation; {text} is filled in."""
    back: str = Field(default="Translate into English:\n\n{text}", max_length=2_000)
    """What is asked to come back; {text} is filled in."""
    measure: Literal["words", "embedder"] = "words"
    """How the text that came back is compared: by its words (F1), or by the cosine of sentence vectors."""
    embedder: Checkpoint = Checkpoint(id="sentence-transformers/all-MiniLM-L6-v2")
    """Model of sentence vectors."""
    min_similarity: float = Field(default=0.5, ge=-1.0, le=1.0)
    """Least similarity of the text that came back."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_placeholders("there", self.there, {"text"})
        check_placeholders("back", self.back, {"text"})
        return self

    def checkpoints(self) -> Models:
        yield from super().checkpoints()
        if self.measure == "embedder":
            yield "embedder", self.embedder


class Review(_Step):
    """What a person decided about rows, from a file."""

    step: Literal["review"]
    """A person's decisions are read from a file."""
    path: str = Field(min_length=1)
    """JSONL file: first the digest of the rows it is about, then a decision a line."""
    undecided: Literal["keep", "drop"] = "keep"
    """What becomes of rows without a decision."""


class PluginStep(_Step):
    """A step of an installed package."""

    step: Literal["plugin"]
    """An installed package brings the step."""
    part: str = Field(min_length=1, max_length=100)
    """Its name; `foundry recipes --parts` lists what is installed."""
    settings: Settings = Field(default={}, repr=False)
    """What the package lets one set."""

    @field_validator("settings")
    @classmethod
    def _complete(cls, given: Settings, info: object) -> Settings:
        data = getattr(info, "data", {})
        return complete_settings("steps", data["part"], given, STEP_NAMES) if "part" in data else given

    @property
    def name(self) -> str:
        return self.part


Annotation = Annotated[
    Draft | Attributes | Match | Ask | Continue | Repair | Translate | Review | PluginStep,
    Field(discriminator="step"),
]
STEP_NAMES = ("draft", "attributes", "match", "ask", "continue", "repair", "translate", "review", "plugin")


def labels_of_steps(steps: Sequence[_Step]) -> tuple[str, ...]:
    """What each step is called in its list: its name, numbered from the second of a name on."""
    names = [step.name for step in steps]
    before = [names[:place].count(name) for place, name in enumerate(names)]
    return tuple(f"{name}-{count + 1}" if count else name for name, count in zip(names, before, strict=True))


def _check_image(prompt: str) -> None:
    if prompt.count("<image>") != 1:
        raise ValueError("prompt must contain <image> exactly once, where the picture stands")


def _refuse_alike(field: str, words: Sequence[str]) -> None:
    if any(not word.strip() for word in words):
        raise ValueError(f"{field} holds an empty word")
    keys = [loose(word) for word in words]
    twice = sorted({word for word, key in zip(words, keys, strict=True) if keys.count(key) > 1})
    if twice:
        raise ValueError(f"{field} holds {', '.join(twice)} more than once; words must differ")
