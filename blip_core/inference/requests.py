"""Answers to single requests that came together: some ask for a description, some bring one along.

What a request gets is what the same row gets among the rows of a table: prompts, reading and ranking are
those of `predicting`, whichever requests share a batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from blip_core.inference.batching import Counter, no_progress
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.encoding import Features
from blip_core.inference.letters import ranked_letter
from blip_core.inference.predicting import (
    answer_questions,
    choose_answers,
    describe_rows,
    write_freely,
)
from blip_core.inference.prompting import Question, describe_prompt, options_of, stage_two
from blip_core.inference.work import Work
from blip_core.kinds import kind_of
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import tokenise_prompts
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Mode

LETTER_TOKENS = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked about one picture.

    Attributes:
        example: the row; its picture is not looked at where the mode shows none.
        mode: what the model sees.
        description: what the request brings of stage one; None, stage one writes it where there is one.
        is_stage_one: whether the description is what is asked for.
    """

    example: Example
    mode: Mode = "both"
    description: str | None = None
    is_stage_one: bool = False

    @property
    def has_picture(self) -> bool:
        return self.mode in ("both", "one-stage")


@dataclass(frozen=True, slots=True)
class Response:
    """What a request gets.

    Attributes:
        text: letter, answer in words, or description.
        chances: probabilities of the letters that are offered, from A on; empty where there are none.
        description: what stage one wrote on the way; empty where the request brought it or asked for it.
        prompt_tokens: of the last prompt, image tokens among them.
        written_tokens: of the text.
        is_cut_prompt: whether the prompt was too long and lost its middle.
        is_cut: whether the longest text was reached.
    """

    text: str
    chances: tuple[float, ...] = ()
    description: str = ""
    prompt_tokens: int = 0
    written_tokens: int = 0
    is_cut_prompt: bool = False
    is_cut: bool = False

    def shortened(self, bundle: Blip2Bundle, most_tokens: int | None) -> "Response":
        """The response with a text of so many tokens at most: a greedy text begins as a longer one does."""
        if most_tokens is None or self.written_tokens <= most_tokens:
            return self
        ids = text_ids(bundle, self.text)[:most_tokens]
        text = str(bundle.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        return replace(self, text=text, written_tokens=len(ids), is_cut=True)


@dataclass
class _Said:
    """What is known of a request while it is worked on."""

    description: str = ""
    text: str = ""
    chances: tuple[float, ...] = ()
    prompt_tokens: int = 0
    is_cut: bool = False


def respond(
    bundle: Blip2Bundle, requests: Sequence[Request], settings: Inference, features: Features
) -> list[Response]:
    """Answer requests together: describe what brings no description, then rank letters or write.

    Args:
        bundle: the model.
        requests: what is asked.
        settings: prompts, batch size, lengths; each request is asked once and its letters are ranked.
        features: of the pictures that the requests show, see `PictureEncoder`.

    Returns:
        One a request, in order.

    Raises:
        CheckpointError: The tokenizer has no single token for a letter.
        NotANumber: What the model makes of one is none.
        RecipeError: The prompt does not show how to list as many options.
        StageFailure: Memory does not suffice for a single request.
    """
    asked_once = settings.model_copy(update={"free_generation": False, "circular": False, "ablations": ()})
    work = Work(bundle, asked_once, InferenceCounts(), Counter(0, no_progress), features)
    said = [_Said(description=request.description or "") for request in requests]
    _describe(work, requests, said)
    questions = list(_questions(work, requests, said))
    for question in questions:
        said[question.row].prompt_tokens = len(question.prompt.ids)
        said[question.row].is_cut |= question.prompt.is_cut
    _answer(work, questions, said)
    return [_response(work, request, one) for request, one in zip(requests, said, strict=True)]


def text_ids(bundle: Blip2Bundle, text: str) -> list[int]:
    """Tokens of a text alone."""
    ids: list[int] = bundle.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids


def _describe(work: Work, requests: Sequence[Request], said: Sequence[_Said]) -> None:
    prompt = work.settings.describe_prompt
    places = [place for place, request in enumerate(requests) if prompt and _needs_description(request)]
    rows = [requests[place].example for place in places]
    if not rows:
        return
    texts, cut = describe_rows(work, rows)
    prompts = tokenise_prompts(work.bundle, [describe_prompt(work.settings, row) for row in rows])
    for place, text, is_cut, tokens in zip(places, texts, cut, prompts, strict=True):
        said[place].description = text
        said[place].is_cut = is_cut
        said[place].prompt_tokens = len(tokens.ids)


def _needs_description(request: Request) -> bool:
    return request.is_stage_one or (request.description is None and request.mode == "both")


def _questions(work: Work, requests: Sequence[Request], said: Sequence[_Said]) -> Iterator[Question]:
    """Stage two of all that ask for an answer, mode by mode; their rows are places among the requests."""
    answering = [place for place, request in enumerate(requests) if not request.is_stage_one]
    for mode in dict.fromkeys(requests[place].mode for place in answering):
        places = [place for place in answering if requests[place].mode == mode]
        rows = [requests[place].example for place in places]
        descriptions = [said[place].description for place in places]
        for question in stage_two(work.bundle, rows, descriptions, work.settings, mode, 0):
            yield replace(question, row=places[question.row])


def _answer(work: Work, questions: Sequence[Question], said: Sequence[_Said]) -> None:
    lettered = [question for question in questions if options_of(question.asked)]
    for question, chances in zip(lettered, answer_questions(work, lettered)[0], strict=True):
        said[question.row].chances = tuple(chances[: question.asked.offered])
        said[question.row].text = ranked_letter(chances)
    free = [question for question in questions if not options_of(question.asked)]
    closed = [one for one in free if work.settings.closed_answers and kind_of(one.asked.task).asks]
    texts = choose_answers(work, closed)
    texts |= write_freely(work, [one for one in free if one.row not in texts])
    for place, text in texts.items():
        said[place].text = text


def _response(work: Work, request: Request, said: _Said) -> Response:
    text = said.description if request.is_stage_one else said.text
    longest = work.settings.max_new_tokens
    # Read again a text may be more tokens than were written: letters of other scripts, cut in their middle.
    written = LETTER_TOKENS if said.chances else min(longest, len(text_ids(work.bundle, text)))
    is_cut = not said.chances and written == longest
    is_own = request.description is None and not request.is_stage_one
    return Response(
        text=text,
        chances=said.chances,
        description=said.description if is_own else "",
        prompt_tokens=said.prompt_tokens,
        written_tokens=written,
        is_cut_prompt=said.is_cut,
        is_cut=is_cut,
    )
