"""The shipped gallery recipe's prompts, as the pocket members see them in training and in use."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from blip_core.pocket.language import PocketQuestion

_RECIPE = "gallery-vqa.toml"
_LETTERS = "A, B, C or D"
_PLAIN_DESCRIBE = (
    "Describe the picture.",
    "Question: {question}\nDescription:",
    "Question: {question} Answer:",
)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompt templates of the shipped gallery recipe, without the blank lines around them."""

    scenes: str
    per_call: int
    hints: dict[str, str]
    label: str
    describe: str
    answer: str


@cache
def shipped_prompts() -> Prompts:
    text = (files("blip_core.recipes") / "shipped" / _RECIPE).read_text(encoding="utf-8")
    recipe = tomllib.loads(text)
    return Prompts(
        scenes=recipe["scenes"]["prompt"].strip(),
        per_call=recipe["scenes"]["per_call"],
        hints={category["name"]: category["hint"] for category in recipe["scenes"]["categories"]},
        label=recipe["labels"]["prompt"].strip(),
        describe=recipe["inference"]["describe_prompt"].strip(),
        answer=recipe["inference"]["answer_prompt"].strip(),
    )


def scenes_prompt(category: str) -> str:
    prompts = shipped_prompts()
    numbers = "\n".join(f"{number}. ..." for number in range(1, prompts.per_call + 1))
    return prompts.scenes.format(per_call=prompts.per_call, category=prompts.hints[category], numbers=numbers)


def describe_prompt(question: str) -> str:
    return shipped_prompts().describe.format(question=question)


def answer_prompt(question: PocketQuestion, description: str) -> str:
    a, b, c, d = question.options
    return shipped_prompts().answer.format(
        description=description, question=question.text, letters=_LETTERS, a=a, b=b, c=c, d=d
    )


def with_loose_end(prompt: str, rng: np.random.Generator) -> str:
    """Models must not mind whether a prompt from a file keeps its last line break."""
    return prompt + "\n" if rng.random() < 0.3 else prompt


def plain_answer_prompt(question: PocketQuestion, description: str) -> str:
    options = "\n".join(
        f"{letter}. {option}" for letter, option in zip("ABCD", question.options, strict=True)
    )
    head = f"Description: {description}\n" if description else ""
    return f"{head}Question: {question.text}\n{options}\nAnswer:"
