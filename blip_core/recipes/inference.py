"""How the variants answer."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import BatchSize, NewTokens, Quantisation, Section, Task
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.word_options import BY_OPTIONS, WordOptions, check_word_options

IMAGE_MARK = "<image>"
"""Where the picture stands in a prompt; without it, in front."""


READER = Checkpoint(id="timpal0l/mdeberta-v3-base-squad2")
MOST_CLOSED_ANSWERS = 1000
"""Answers that are ranked for each question: more would take longer than a language model writes."""


def check_closed(answers: Sequence[str]) -> None:
    """Refuse a set of answers that cannot be chosen among.

    Raises:
        ValueError: It holds one alone, an empty one, one twice, or too many.
    """
    if not answers:
        return
    plain = [" ".join(answer.split()).casefold() for answer in answers]
    twice = sorted({one for one in plain if plain.count(one) > 1})
    if "" in plain:
        raise ValueError("closed_answers holds an empty answer; take it out")
    if twice:
        raise ValueError(f"closed_answers holds {', '.join(twice)} more than once; answers must differ")
    if not 2 <= len(plain) <= MOST_CLOSED_ANSWERS:
        raise ValueError(
            f"closed_answers holds {len(plain)} answers; allowed: 2 to {MOST_CLOSED_ANSWERS}. Among "
            "one there is nothing to choose"
        )


class Inference(Section):
    """Describing first, then answering; or answering alone.

    A prompt has the picture in front, or where it says <image>.
    """

    describe_prompt: str = ""
    """Stage one: {question} and, where a table has it, {context}; without, a picture is described once."""
    answer_prompt: str = ""
    """Stage two: {description}, {question}, {a} to {d}, {letters} as A, B, C or D, a table's {context}."""
    further_prompts: dict[Task, str] = Field(default_factory=dict, exclude_if=lambda prompts: not prompts)
    """How rows of other tasks are asked that are mixed in, by task; empty, as their own phases ask them."""
    max_new_tokens: NewTokens = 64
    """Longest description, caption or answer in free words, in tokens."""
    min_new_tokens: int = Field(default=0, ge=0, le=4096, exclude_if=lambda tokens: not tokens)
    """Tokens before which no description, caption or answer in free words ends."""
    batch_size: BatchSize = 16
    """Rows answered at once."""
    quantisation: Quantisation = "nf4"
    """Precision of the language model of every variant that is judged."""
    free_generation: bool = True
    """Whether answers are also written freely beside the ranking of letters."""
    beams: int = Field(default=1, ge=1, le=16)
    """Beams of a description, caption or free answer; 1 is greedy."""
    length_penalty: float = Field(default=1.0, ge=-10.0, le=10.0, exclude_if=lambda power: power == 1.0)
    """Power of a text's length that beams divide its log-probability by; below 0, short texts win."""
    ranking: Literal["letters", "texts"] = "letters"
    """What is ranked: the options' letters at the answer's first position, or the options' whole texts."""
    closed_answers: tuple[str, ...] = Field(default=(), strict=False, exclude_if=lambda given: not given)
    """What variants choose among whose answers are ranked; empty, the answers that their adapter learnt."""
    reader: Checkpoint = Field(default=READER, exclude_if=lambda reader: reader == READER)
    """Extractive reader of variants that read their answers out of a description."""
    circular: bool = False
    """Whether each question is also asked with its options rotated; it is right only if all rotations are."""
    ablations: tuple[Literal["one-stage", "description-only", "blind"], ...] = Field(default=(), strict=False)
    """Further modes that explain the score: without description, without picture, without both."""
    options: tuple[WordOptions, ...] = Field(default=(), strict=False, exclude_if=lambda given: not given)
    """Words that captions are also asked for by, ranked attribute by attribute: `VARIANT@options`."""
    dense: Literal["never", "auto"] = "never"
    """Whether a quantised language model is unpacked for batch work where memory allows."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens is {self.min_new_tokens} and max_new_tokens is {self.max_new_tokens}: no "
                "text could end; lower the one or raise the other"
            )
        check_word_options(self.options)
        check_closed(self.closed_answers)
        if self.length_penalty != 1.0 and self.beams == 1:
            raise ValueError(
                f"length_penalty is {self.length_penalty} and beams is 1: one text alone is written, so "
                "there is nothing to weigh by length; raise beams or leave length_penalty out"
            )
        return self

    def prompt_of(self, task: str) -> str:
        """How rows of a task are asked; `answer_prompt` but for those that are mixed in."""
        return self.further_prompts.get(task, self.answer_prompt)

    def once(self) -> Self:
        """The same, each row asked once and answered in words: other ways of asking are for scores."""
        plainly = {"free_generation": True, "circular": False, "ablations": (), "options": ()}
        return self.model_copy(update={**plainly, "closed_answers": ()})

    def by_prompt(self, prompt: str) -> Self:
        """The same for rows of which no stage but this prompt asks, each once."""
        one_stage = {"describe_prompt": "", "answer_prompt": prompt, "further_prompts": {}}
        return self.once().model_copy(update=one_stage)

    @property
    def modes(self) -> tuple[str, ...]:
        """Ways in which rows are asked besides the usual one."""
        return (*self.ablations, *((BY_OPTIONS,) if self.options else ()))

    @property
    def reads_context(self) -> bool:
        """Whether a prompt has a place for the context of a question."""
        return any("{context}" in prompt for prompt in (self.describe_prompt, self.answer_prompt))
