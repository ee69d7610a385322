"""The words of a recipe's prompts, recognised in a message: what filled their places comes back.

A client of this house describes and answers by itself, in the prompts of the recipe that it judges by.
Where a message is one of them to the letter, it is asked as the model here would be, with the same tokens.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from blip_core.backends.openai_compatible import without_frame
from blip_core.errors import RecipeError
from blip_core.inference.prompting import for_context, letters_in_words, listing, undescribed
from blip_core.kinds import kind_of
from blip_core.recipes.inference import IMAGE_MARK, Inference
from blip_core.records import OPTION_LETTERS

_PLACES = tuple(letter.lower() for letter in OPTION_LETTERS)
_FEWEST_OPTIONS = 2


@dataclass(frozen=True)
class Wording:
    """A prompt with places, as a message bears it.

    Attributes:
        prompt: its words.
        task: the kind of row that it asks; empty for stage one, which is the same for all.
        options: how many options it lists.
        is_described: whether it may tell a description.
    """

    prompt: str
    task: str = ""
    options: int = 0
    is_described: bool = False

    def read(self, text: str) -> dict[str, str] | None:
        """What stands in the places of a text, each up to the first of the words that follow; None, another.

        Any other way to part the text would give the same prompt again. Takes linear time.
        """
        words, places = self._parsed
        if not places:
            return {} if text == words[0] else None
        if not text.startswith(words[0]):
            return None
        found: dict[str, str] = {}
        start = len(words[0])
        for place, following in zip(places[:-1], words[1:-1], strict=True):
            end = text.find(following, start)
            if end < 0:
                return None
            found[place] = text[start:end]
            start = end + len(following)
        end = len(text) - len(words[-1])
        if end < start or not text.endswith(words[-1]):
            return None
        return {**found, places[-1]: text[start:end]}

    @cached_property
    def _parsed(self) -> tuple[list[str], list[str]]:
        """The words before, between and after the places, and the places."""
        words, places = [""], []
        letters = letters_in_words(self.options) if self.options else ""
        for literal, place, _, _ in Formatter().parse(self.prompt):
            words[-1] += literal
            if place == "letters":
                words[-1] += letters
            elif place is not None:
                places.append(place)
                words.append("")
        return words, places


def wordings_of(settings: Inference, tasks: tuple[str, ...]) -> list[Wording]:
    """The prompts by which a recipe's rows are asked, in every way; the ones that tell most come first."""
    return [*_of_stage_one(settings), *(one for task in tasks for one in _of_stage_two(settings, task))]


def _of_stage_one(settings: Inference) -> Iterator[Wording]:
    if settings.describe_prompt:
        for prompt in _with_and_without_context(settings.describe_prompt):
            yield Wording(_plain(prompt))


def _of_stage_two(settings: Inference, task: str) -> Iterator[Wording]:
    ways: Mapping[bool, Inference] = {True: settings, False: undescribed(settings)}
    for is_described, way in ways.items():
        for prompt in _with_and_without_context(way.prompt_of(task)):
            if not kind_of(task).has_options:
                yield Wording(_plain(prompt), task, is_described=is_described)
                continue
            for count in _counts(prompt):
                yield Wording(_plain(listing(prompt, count)), task, count, is_described)


def _counts(prompt: str) -> Iterator[int]:
    """How many options a prompt can list, most first: of fewer the last would swallow the others."""
    for count in range(len(OPTION_LETTERS), _FEWEST_OPTIONS - 1, -1):
        try:
            listed = listing(prompt, count)
        except RecipeError:
            continue
        places = {place for _, place, _, _ in Formatter().parse(listed)}
        if places.issuperset(_PLACES[:count]):
            yield count


def _with_and_without_context(prompt: str) -> Iterator[str]:
    if "{context}" in prompt:
        yield prompt
    yield for_context(prompt, "")


def _plain(prompt: str) -> str:
    """A prompt as a message bears it: without the picture's place and the frame of turns."""
    return without_frame(prompt.replace(IMAGE_MARK, ""))
