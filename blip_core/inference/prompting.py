"""What the two stages ask, from a recipe's prompts, in every mode and rotation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from blip_core.errors import RecipeError
from blip_core.kinds import kind_of
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import PICTURE_PLACE, Prompt, tokenise_prompts
from blip_core.recipes.inference import IMAGE_MARK, Inference
from blip_core.records import LETTERS, OPTION_LETTERS, Example, Mode

_DESCRIPTION = "{description}"
_CONTEXT = "{context}"
_QUESTION = "{question}"
_PLACES = tuple(letter.lower() for letter in OPTION_LETTERS)
_FOUR_PLACES = re.compile(r"(.*)\{a\}(.*)\{b\}(.*)\{c\}(.*\bD\b.*)\{d\}(.*)", re.DOTALL)
_PICTURED: frozenset[Mode] = frozenset({"both", "one-stage"})
_DESCRIBED: frozenset[Mode] = frozenset({"both", "description-only"})


@dataclass(frozen=True, slots=True)
class Question:
    """One way of asking a row.

    Attributes:
        row: index of the example.
        mode: what the model sees.
        rotation: places that the options moved up.
        prompt: what is asked.
        asked: the example with its options as they are asked.
    """

    row: int
    mode: Mode
    rotation: int
    prompt: Prompt
    asked: Example

    @property
    def has_picture(self) -> bool:
        return self.mode in _PICTURED

    @property
    def has_description(self) -> bool:
        return self.mode in _DESCRIBED

    @property
    def is_main(self) -> bool:
        """Whether this is the row as it stands."""
        return self.mode == "both" and self.rotation == 0


def describe_prompt(settings: Inference, example: Example) -> str:
    """Stage one: describe the picture with the question in mind."""
    prompt = for_context(settings.describe_prompt, example.context)
    return _filled(prompt, question=example.question, context=example.context)


def answer_prompt(settings: Inference, example: Example, description: str) -> str:
    """Stage two: choose a letter.

    Raises:
        RecipeError: The question has more than four options, and the prompt does not show how to list them.
    """
    options = dict(zip(_PLACES, example.options, strict=False))
    prompt = for_context(settings.prompt_of(example.task), example.context)
    return _filled(
        listing(prompt, example.offered),
        description=description,
        question=example.question,
        context=example.context,
        letters=letters_in_words(example.offered),
        **options,
    )


def _filled(prompt: str, **texts: str) -> str:
    """A prompt with texts in their places, and a mark in that of the picture which no text brings along."""
    said = {name: text.replace(PICTURE_PLACE, "") for name, text in texts.items()}
    return prompt.replace(IMAGE_MARK, PICTURE_PLACE).format(**said)


def letters_in_words(count: int) -> str:
    """The letters to choose from, as a sentence names them: `A, B, C or D`."""
    *others, last = OPTION_LETTERS[:count]
    return f"{', '.join(others)} or {last}"


@lru_cache
def listing(prompt: str, count: int) -> str:
    """A prompt of four places with as many as a question has options.

    The words between two places list the second: those of a place too many go with it, and a further place
    is listed as D is, under its own letter.
    """
    found = _FOUR_PLACES.fullmatch(prompt)
    if "{a}" not in prompt:  # its options are not shown
        return prompt
    if count == len(LETTERS) or (found is None and count < len(LETTERS)):
        return prompt
    if found is None:
        raise RecipeError(
            f"a question has {count} options, and inference.answer_prompt does not show how to list more "
            "than four: it takes {a}, {b}, {c} and {d} in this order, with the letter D before {d}"
        )
    head, *between, tail = found.groups()
    further = OPTION_LETTERS[len(LETTERS) :]
    lists = [*between, *(re.sub(r"\bD\b", letter, between[-1]) for letter in further)]
    places = [f"{words}{{{place}}}" for words, place in zip(lists, _PLACES[1:], strict=True)]
    return "".join([head, "{a}", *places[: count - 1], tail])


def undescribed(settings: Inference) -> Inference:
    """The settings with a prompt of stage two that does not speak of a description.

    Lines with the description's place and no other are left out; in any other line the place stays empty.
    """
    further = {task: _without(prompt, _DESCRIPTION) for task, prompt in settings.further_prompts.items()}
    answer = _without(settings.answer_prompt, _DESCRIPTION)
    return settings.model_copy(update={"answer_prompt": answer, "further_prompts": further})


def without_question(prompt: str) -> str:
    """A prompt of stage one that does not speak of a question, as `undescribed` of a description."""
    return _without(_without(prompt, _QUESTION), _CONTEXT).format(question="", context="")


def for_context(prompt: str, context: str) -> str:
    """A prompt that does not speak of a context where a row has none, as `undescribed` of a description."""
    return prompt if context else _without(prompt, _CONTEXT)


@lru_cache
def _without(prompt: str, place: str) -> str:
    lines = prompt.split("\n")
    kept = (line for line in lines if place not in line or line.count("{") > 1 or IMAGE_MARK in line)
    return "\n".join(kept)


def rotated(example: Example, places: int) -> Example:
    """An example with its options moved up: the option of B stands at A after one place."""
    return example.with_options([example.options[place] for place in rotation_of(example, places)])


def rotation_of(example: Example, places: int) -> list[int]:
    """For each place, from A on, which of the unrotated options stands there; empty ones stay last."""
    count = example.offered
    return [(place + places) % count if place < count else place for place in range(len(example.options))]


def ask(
    settings: Inference, example: Example, description: str, mode: Mode, rotation: int
) -> tuple[Example, str]:
    """An example with its options as they are asked in one way, and the words of stage two."""
    asked = rotated(example, rotation)
    if mode in _DESCRIBED:
        return asked, answer_prompt(settings, asked, description)
    return asked, answer_prompt(undescribed(settings), asked, "")


def stage_two(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    descriptions: Sequence[str],
    settings: Inference,
    mode: Mode,
    rotation: int,
) -> list[Question]:
    """Ask every example in one way, those that are not asked so left out."""
    rows = [row for row, example in enumerate(examples) if is_asked(example, mode, rotation)]
    asked = [ask(settings, examples[row], descriptions[row], mode, rotation) for row in rows]
    prompts = tokenise_prompts(bundle, [text for _, text in asked], with_picture=mode in _PICTURED)
    return [
        Question(row, mode, rotation, prompt, example)
        for row, (example, _), prompt in zip(rows, asked, prompts, strict=True)
    ]


def ways_of_asking(settings: Inference, offered: int) -> list[tuple[Mode, int]]:
    """Mode and rotation of each way in which a recipe asks a row; the row as it stands comes first.

    Args:
        settings: of the recipe.
        offered: how many options the row has, 0 where it is answered freely; of several rows, the most.
    """
    main: list[tuple[Mode, int]] = [("both", rotation) for rotation in range(rotations(settings, offered))]
    return main + [(mode, 0) for mode in settings.ablations]


def rotations(settings: Inference, offered: int) -> int:
    """How often a row is asked with its options moved up, as it stands among them."""
    return offered if settings.circular and offered else 1


def options_of(example: Example) -> int:
    """How many options a row is answered by; none where it is answered freely."""
    return example.offered if kind_of(example.task).has_options else 0


def is_asked(example: Example, mode: Mode, rotation: int) -> bool:
    """Whether a row is asked in one way; one that is answered freely is asked as it stands."""
    options = options_of(example)
    return rotation < options if options else (mode == "both" and rotation == 0)
