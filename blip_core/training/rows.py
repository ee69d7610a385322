"""Which rows a tuning learns from, and in which order.

An example is one row an epoch. In each epoch a share of the examples teaches stage one (picture and
question -> description), the rest stage two (picture, description, question, options -> letter); the
share moves on from epoch to epoch, so that every example comes to teach both. What stage two teaches is
said by the example's kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blip_core.errors import RecipeError
from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.kinds import kind_of
from blip_core.modeling.features import picture_key
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import (
    Prompt,
    behind_picture,
    letter_target_ids,
    target_ids,
    tokenise_prompts,
)
from blip_core.recipes.finetune import Finetune, Learning
from blip_core.recipes.inference import Inference
from blip_core.records import Example

_BUCKET_BATCHES = 16  # batches that are sorted by length together: few pads, and the order stays random


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One row as token ids.

    Attributes:
        example: id of the example it comes from.
        picture: key of the picture's vision states.
        prompt: image tokens and text.
        target: what to say, with the end token.
        is_answer: whether the target is an option letter.
        is_cut: whether a text was too long and lost a part.
        taught_from: place of the prompt from which a model that reads both as one text is taught; absent, it
            is taught the target alone.
        instruction: the text as the Q-Former reads it; None where it reads none.
    """

    example: str
    picture: str
    prompt: list[int]
    target: list[int]
    is_answer: bool
    is_cut: bool = False
    taught_from: int | None = None
    instruction: list[int] | None = None


LengthOrder = Callable[[TrainingRow], tuple[bool, int]]


@dataclass(frozen=True)
class RowSource:
    """Examples that can each be posed as a row of either stage.

    Attributes:
        bundle: whose tokenizer writes the rows.
        examples: what is taught.
        prompts: the wording of both stages; the same as at inference.
        describe_share: share of the examples that teach stage one in each epoch; those without a description
            teach stage two all the same.
        descriptions: the base's own descriptions by example id, to be read instead of the labeller's.
        max_text_tokens: longest prompt, without the picture.
        seed: of the stages' draw, and of the wordings'.
        wordings: of the answering prompt, one drawn for each row and epoch; empty, that of `prompts`.
        learn: what a model that reads prompt and answer as one text is taught of rows without options;
            `as-kind` leaves it to their kind.
    """

    bundle: Blip2Bundle
    examples: Sequence[Example]
    prompts: Inference
    describe_share: float
    descriptions: Mapping[str, str]
    max_text_tokens: int
    seed: int
    wordings: Sequence[str] = ()
    learn: Learning = "as-kind"

    def epoch(self, number: int) -> list[TrainingRow]:
        """One row an example, in the order of the examples."""
        describing = self._describing(number)
        return [
            self._describe_rows[index] if index in describing else self._answer_rows[wording][index]
            for index, wording in enumerate(self._drawn_wordings(number))
        ]

    def _describing(self, epoch: int) -> set[int]:
        count = len(self.examples)
        size = round(self.describe_share * count)
        order = np.random.default_rng([self.seed, 1]).permutation(count)
        drawn = {int(order[(epoch * size + offset) % count]) for offset in range(size)}
        return {index for index in drawn if self.examples[index].description}

    @cached_property
    def _describe_rows(self) -> list[TrainingRow]:
        texts = [describe_prompt(self.prompts, example) for example in self.examples]
        prompts = tokenise_prompts(self.bundle, texts, self.max_text_tokens)
        rows = zip(self.examples, prompts, strict=True)
        return [self._describe_row(example, prompt) for example, prompt in rows]

    def _describe_row(self, example: Example, prompt: Prompt) -> TrainingRow:
        target = target_ids(self.bundle, example.description)
        # A description that is cut does not end: its row teaches no end either.
        taught = target[: self.max_text_tokens]
        is_cut = prompt.is_cut or len(taught) < len(target)
        picture, said = picture_key(example.image), prompt.instruction
        return TrainingRow(example.id, picture, prompt.ids, taught, False, is_cut, instruction=said)

    def _drawn_wordings(self, epoch: int) -> list[int]:
        """Place of each row's wording in an epoch."""
        rng = np.random.default_rng([self.seed, 2, epoch])
        return [int(place) for place in rng.integers(max(1, len(self.wordings)), size=len(self.examples))]

    @cached_property
    def _answer_rows(self) -> list[list[TrainingRow]]:
        """Every example in every wording, by wording."""
        wordings = self.wordings or (self.prompts.answer_prompt,)
        return [self._worded_rows(self.prompts.model_copy(update={"answer_prompt": one})) for one in wordings]

    def _worded_rows(self, asking: Inference) -> list[TrainingRow]:
        texts = [answer_prompt(asking, example, self._description(example)) for example in self.examples]
        prompts = tokenise_prompts(self.bundle, texts, self.max_text_tokens)
        rows = zip(self.examples, prompts, strict=True)
        return [self._answer_row(example, prompt) for example, prompt in rows]

    def _answer_row(self, example: Example, prompt: Prompt) -> TrainingRow:
        kind = kind_of(example.task)
        picture, answer = picture_key(example.image), kind.learnt(example)
        if kind.has_options:
            letter = letter_target_ids(self.bundle, answer)
            return TrainingRow(
                example.id, picture, prompt.ids, letter, True, prompt.is_cut, instruction=prompt.instruction
            )
        target = target_ids(self.bundle, answer)
        taught = target[: self.max_text_tokens]
        is_cut = prompt.is_cut or len(taught) < len(target)
        learn = kind.learn if self.learn == "as-kind" else self.learn
        start = behind_picture(self.bundle, prompt.ids) if learn == "whole" else None
        return TrainingRow(
            example.id, picture, prompt.ids, taught, False, is_cut, start, instruction=prompt.instruction
        )

    def _description(self, example: Example) -> str:
        if not self.prompts.describe_prompt:
            return ""
        return self.descriptions.get(example.id, example.description)


def check_stages(prompts: Inference, describe_share: float, own_description_share: float) -> None:
    """Refuse to teach descriptions that inference would never ask for.

    Raises:
        RecipeError: A share is set without a prompt for stage one.
    """
    if (describe_share or own_description_share) and not prompts.describe_prompt:
        raise RecipeError(
            f"finetune.describe_share is {describe_share:g} and finetune.own_description_share is "
            f"{own_description_share:g}, but inference.describe_prompt is empty; write it or set both to 0"
        )


def draw_examples(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """A seeded share of some examples, in their order."""
    chosen = np.random.default_rng([seed, 2]).permutation(len(examples))[: round(share * len(examples))]
    return [examples[index] for index in sorted(chosen.tolist())]


def draw_own_descriptions(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """The examples that the base describes itself: a seeded share, and all that nobody described.

    Rows of which nothing is asked read no description.
    """
    asked = [example for example in examples if kind_of(example.task).asks]
    drawn = {example.id for example in draw_examples(asked, share, seed)}
    return [example for example in asked if example.id in drawn or not example.description]


def steps_per_epoch(rows: int, batch_size: int) -> int:
    return -(-rows // batch_size)


def planned_steps(rows: int, settings: Finetune) -> int:
    """Steps of a whole tuning."""
    return max(1, round(settings.epochs * steps_per_epoch(rows, settings.batch_size)))


def plan_batches(source: RowSource, batch_size: int, steps: int) -> list[list[TrainingRow]]:
    """The batches of a tuning, one a step: epoch after epoch, shuffled, rows of like length together."""
    batches: list[list[TrainingRow]] = []
    epoch = 0
    while len(batches) < steps:
        rng = np.random.default_rng([source.seed, 3, epoch])
        batches += _epoch_batches(source.epoch(epoch), batch_size, _length_order(source), rng)
        epoch += 1
    return batches[:steps]


def _length_order(source: RowSource) -> LengthOrder:
    """T5 pads prompts and targets apart, and a letter beside a description pads most; others read one."""
    if not source.bundle.is_causal:
        return lambda row: (row.is_answer, _length(row))
    return lambda row: (False, _length(row))


def _length(row: TrainingRow) -> int:
    return len(row.prompt) + len(row.target)


def _epoch_batches(
    rows: Sequence[TrainingRow], batch_size: int, length_order: LengthOrder, rng: np.random.Generator
) -> list[list[TrainingRow]]:
    order = [rows[index] for index in rng.permutation(len(rows))]
    window = batch_size * _BUCKET_BATCHES
    batches: list[list[TrainingRow]] = []
    for start in range(0, len(order), window):
        alike = sorted(order[start : start + window], key=length_order)
        batches += [alike[at : at + batch_size] for at in range(0, len(alike), batch_size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def validation_batches(source: RowSource, batch_size: int) -> list[list[TrainingRow]]:
    """The rows of one epoch, shortest first: always the same ones."""
    rows = sorted(source.epoch(0), key=_length_order(source))
    return [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
