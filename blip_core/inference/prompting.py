"""What the two stages ask, from a recipe's prompts, in every mode and rotation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blip_core.errors import RecipeError
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import Prompt, tokenise_prompts
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example, Mode

_DESCRIPTION = "{description}"
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
    def is_main(self) -> bool:
        """Whether this is the row as it stands."""
        return self.mode == "both" and self.rotation == 0


def describe_prompt(settings: Inference, example: Example) -> str:
    """Stage one: describe the picture with the question in mind."""
    return settings.describe_prompt.format(question=example.question)


def answer_prompt(settings: Inference, example: Example, description: str) -> str:
    """Stage two: choose a letter."""
    return settings.answer_prompt.format(
        description=description, question=example.question, a=example.a, b=example.b, c=example.c, d=example.d
    )


def undescribed(settings: Inference) -> Inference:
    """The settings with a prompt of stage two that does not speak of a description.

    Lines with the description's place and no other are left out; in any other line the place stays empty.
    """
    lines = settings.answer_prompt.split("\n")
    kept = [line for line in lines if _DESCRIPTION not in line or line.count("{") > 1]
    return settings.model_copy(update={"answer_prompt": "\n".join(kept)})


def rotated(example: Example, places: int) -> Example:
    """An example with its options moved up: the option of B stands at A after one place."""
    options = [example.options[place] for place in rotation_of(example, places)]
    return replace(example, a=options[0], b=options[1], c=options[2], d=options[3])


def rotation_of(example: Example, places: int) -> list[int]:
    """For each place, A to D, which option of the unrotated question stands there; empty ones stay last."""
    count = offered_options(example)
    return [(place + places) % count if place < count else place for place in range(len(LETTERS))]


def offered_options(example: Example) -> int:
    """How many options a question has: those before the first empty one, or all where none is written."""
    written = [bool(option) for option in example.options]
    return written.index(False) if True in written and False in written else len(written)


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
    """Ask every example in one way."""
    asked = [
        ask(settings, example, description, mode, rotation)
        for example, description in zip(examples, descriptions, strict=True)
    ]
    prompts = tokenise_prompts(bundle, [text for _, text in asked], with_picture=mode in _PICTURED)
    return [
        Question(row, mode, rotation, prompt, example)
        for row, ((example, _), prompt) in enumerate(zip(asked, prompts, strict=True))
    ]


def ways_of_asking(settings: Inference) -> list[tuple[Mode, int]]:
    """Mode and rotation of each way in which a recipe asks a row; the row as it stands comes first."""
    rotations = len(LETTERS) if settings.circular else 1
    main: list[tuple[Mode, int]] = [("both", rotation) for rotation in range(rotations)]
    return main + [(mode, 0) for mode in settings.ablations]


def check_task(examples: Sequence[Example]) -> None:
    """Refuse examples that have no option letters.

    Raises:
        RecipeError: An example is of another task than `mcq`.
    """
    for example in examples:
        if example.task != "mcq":
            raise RecipeError(f"example {example.id!r} is of task {example.task!r}; only mcq has letters")
