"""What the two stages ask, from a recipe's prompts."""

from blip_core.errors import RecipeError
from blip_core.recipes.inference import Inference
from blip_core.records import Example


def describe_prompt(settings: Inference, example: Example) -> str:
    """Stage one: describe the picture with the question in mind."""
    return settings.describe_prompt.format(question=example.question)


def answer_prompt(settings: Inference, example: Example, description: str) -> str:
    """Stage two: choose a letter."""
    return settings.answer_prompt.format(
        description=description, question=example.question, a=example.a, b=example.b, c=example.c, d=example.d
    )


def check_task(examples: list[Example]) -> None:
    """Refuse examples that have no option letters.

    Raises:
        RecipeError: An example is of another task than `mcq`.
    """
    for example in examples:
        if example.task != "mcq":
            raise RecipeError(f"example {example.id!r} is of task {example.task!r}; only mcq has letters")
