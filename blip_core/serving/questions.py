"""From the text of a message to what is asked: a prompt of the recipe, or somebody's own words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from blip_core.errors import RequestRefused
from blip_core.inference.requests import Request
from blip_core.kinds import kind_of
from blip_core.recipes.inference import Inference
from blip_core.records import OPTION_LETTERS, Example, Mode
from blip_core.serving.reading import ChatRequest
from blip_core.serving.wordings import Wording, wordings_of

_PLACES = tuple(letter.lower() for letter in OPTION_LETTERS)
_OPTION = re.compile(r"[ \t]{0,8}\(?([A-Z])[.):][ \t]{1,8}(\S[^\n]*)")
_QUESTION = re.compile(r"\s*(?i:question)\s{0,3}:\s*")
_LONE = 1
_NAME = "the request"  # of its row, in what is said of it


@dataclass(frozen=True)
class Asking:
    """How requests are asked.

    Attributes:
        task: the recipe's, by the name of its kind.
        settings: of the recipe, by the kind of what is asked; those of its own kind also ask the kinds that
            are mixed in.
    """

    task: str
    settings: Mapping[str, Inference]

    @cached_property
    def wordings(self) -> list[Wording]:
        """Prompts of the recipe, which its own clients send."""
        own = self.settings[self.task]
        return wordings_of(own, (self.task, *own.further_prompts))

    def understand(self, asked: ChatRequest) -> tuple[str, Request]:
        """What a message asks, and by which settings it is answered.

        Raises:
            RequestRefused: It shows no picture, or lists options that cannot be lettered.
        """
        text = asked.text.strip()
        for wording in self.wordings:
            found = wording.read(text)
            request = None if found is None else _recognised(wording, found, asked.picture, self.task)
            if request is not None:
                return self.task, request
        if not asked.picture:
            raise RequestRefused(
                "the message shows no picture: add a part of the type image_url with a data address",
                code="invalid_image",
                param="messages",
            )
        return self._own_words(text, asked.picture)

    def _own_words(self, text: str, picture: bytes) -> tuple[str, Request]:
        has_options = kind_of(self.task).has_options
        question, options = listed_options(text) if has_options else (text, [])
        return self.of_fields(picture, question, options)

    def of_fields(
        self, picture: bytes, question: str, options: Sequence[str], context: str = ""
    ) -> tuple[str, Request]:
        """What is asked about a picture, by a letter, in words, or by a description; and by which settings.

        Raises:
            RequestRefused: Options without a question, one option alone, or nothing where something is asked.
        """
        task = self._task_for(question, options)
        if len(options) == _LONE or (options and not kind_of(task).has_options):
            raise RequestRefused(
                f"the question has {len(options)} options, and {self.task} rows have "
                f"{f'2 to {len(OPTION_LETTERS)}' if kind_of(task).has_options else 'none'}",
                param="messages",
            )
        if options and not question:
            raise RequestRefused("there are options and nothing is asked: write the question before them")
        if kind_of(task).asks and not question:
            raise RequestRefused("nothing is asked: write a question", param="messages")
        return task, Request(Example.asked(_NAME, task, picture, question, options, context))

    def _task_for(self, question: str, options: Sequence[str]) -> str:
        """The recipe's kind, or one without options where it has options and none are given."""
        if options or not kind_of(self.task).has_options:
            return self.task
        free = (one for one in self.settings if not kind_of(one).has_options)
        return next(one for one in free if kind_of(one).asks is bool(question))


def listed_options(text: str) -> tuple[str, list[str]]:
    """Question and options of a text whose lines list them as `A. ...`, `A) ...`, `(A) ...` or `A: ...`.

    The first run of lines with letters from A on counts, two at least; what stands before it is the question,
    and what stands behind it, as how to answer, is not read. Without such a run there are no options.

    Raises:
        RequestRefused: There are more options than letters.
    """
    lines = text.split("\n")
    for start in range(len(lines)):
        options = _run_of_options(lines[start : start + len(OPTION_LETTERS) + 1])
        if len(options) > len(OPTION_LETTERS):
            raise RequestRefused(
                f"the question lists more than {len(OPTION_LETTERS)} options, and there are two to "
                f"{len(OPTION_LETTERS)} of them: leave some out",
                param="messages",
            )
        if len(options) > _LONE:
            question = "\n".join(lines[:start]).strip()
            return _QUESTION.sub("", question, count=1) if _QUESTION.match(question) else question, options
    return text, []


def _run_of_options(lines: Sequence[str]) -> list[str]:
    options: list[str] = []
    for line in lines:
        found = _OPTION.fullmatch(line)
        if found is None or found[1] != chr(ord("A") + len(options)):
            break
        options.append(found[2].strip())
    return options


def _recognised(wording: Wording, found: Mapping[str, str], picture: bytes, task: str) -> Request | None:
    """What a prompt of the recipe asks; None where it needs a picture that is not there."""
    question, context = found.get("question", ""), found.get("context", "")
    if not wording.task:
        row = Example.asked(_NAME, task, picture, question, context=context)
        return Request(row, is_stage_one=True) if picture else None
    options = [found[place] for place in _PLACES[: wording.options]]
    row = Example.asked(_NAME, wording.task, picture, question, options, context)
    if wording.is_described:
        mode: Mode = "both" if picture else "description-only"
    else:
        mode = "one-stage" if picture else "blind"
    # What is answered freely is asked in one way alone.
    return Request(row, mode, found.get("description", "")) if options or mode == "both" else None
