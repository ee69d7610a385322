"""Two stages through a model server: it describes the picture, then chooses a letter or writes."""

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from blip_core.backends.chat import ChatClient, Content, Dialect, Reply
from blip_core.backends.openai_compatible import message, picture_url, without_frame
from blip_core.inference.answers import NO_CHANCES, Answers, gather_answers
from blip_core.inference.batching import Counter, Progress, no_progress
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.flagging import CUT_ANSWER, NO_DESCRIPTION, REFUSED
from blip_core.inference.naming import named_letter
from blip_core.inference.predicting import passes_over
from blip_core.inference.prompting import (
    Question,
    ask,
    describe_prompt,
    is_asked,
    options_of,
    ways_of_asking,
)
from blip_core.modeling.features import decode_picture, picture_key
from blip_core.modeling.text import PICTURE_PLACE, Prompt
from blip_core.recipes.inference import Inference
from blip_core.records import NO_PROBABILITIES, OPTION_LETTERS, Example

_SEED = 0  # nothing is sampled
_AROUND_LETTER = " \t\r\n*_`\"'“”‘’«»()[]{}<>|$#.,:;!?-\\"  # what tokens carry around a letter

Descriptions = MutableMapping[tuple[str, str], Reply]
"""Replies of stage one, by picture and prompt: what is asked once serves all that ask the same."""


@dataclass(frozen=True)
class ServedModel:
    """A model behind a server, ready to answer.

    Attributes:
        connect: opens a client; what it asks for is greedy.
        where: the server and the model, in words.
        answer_tokens: longest answer of stage two, thinking included.
        dialect: what the server was found to understand; clients share it.
    """

    connect: Callable[[], ChatClient]
    where: str
    answer_tokens: int
    dialect: Dialect
    _described: Descriptions = field(default_factory=dict, repr=False)

    @property
    def unpacking(self) -> str:
        """How the language model is held: elsewhere."""
        return self.where

    @property
    def remarks(self) -> Sequence[str]:
        """What the server was found not to understand, in words."""
        return tuple(self.dialect.remarks)

    def answer(
        self,
        examples: Sequence[Example],
        settings: Inference,
        variant: str,
        on_progress: Progress = no_progress,
    ) -> Answers:
        """Answer questions with options about pictures, see `answer_through`."""
        with self.connect() as client:
            return answer_through(
                client,
                examples,
                settings,
                variant,
                on_progress,
                answer_tokens=self.answer_tokens,
                described=self._described,
            )


def answer_through(
    client: ChatClient,
    examples: Sequence[Example],
    settings: Inference,
    variant: str,
    on_progress: Progress = no_progress,
    *,
    answer_tokens: int,
    described: Descriptions | None = None,
) -> Answers:
    """Answer questions with options about pictures through a server, in every way that the settings ask for.

    Rows are asked in batches, whose pictures are in memory together, in the words that a model which is
    loaded here reads; a picture is described once where the prompt does not hold the question. Letters are
    ranked by their probabilities where the answer names one and the server tells them; else the letter that
    the answer names has it all, see `letter_chances`. An answer that names none leaves every probability at
    0 and the row without a letter.

    Args:
        client: asks the server.
        examples: rows of any kind.
        settings: prompts, lengths, modes; how many rows are asked together.
        variant: name that the predictions carry.
        on_progress: told how many row passes are done of how many.
        answer_tokens: longest answer of stage two.
        described: replies of stage one that are known, which are added to.

    Returns:
        One prediction an example, in order; one more for each ablation; and what it took.

    Raises:
        RecipeError: There is no kind of the task that an example names.
        TableError: A picture cannot be read.
        StageFailure: The server is away, refuses or answers something else.
    """
    # What a server writes is its answer, so that it is kept whether free answers are asked for or not.
    settings = settings.model_copy(update={"free_generation": True})
    lettered = sum(1 for example in examples if options_of(example))
    counter = Counter(passes_over(settings, examples) - lettered, on_progress)
    work = _Work(client, settings, variant, answer_tokens, counter, {} if described is None else described)
    answers = Answers()
    for start in range(0, len(examples), settings.batch_size):
        answers.include(_answer_rows(work, examples[start : start + settings.batch_size]))
    return answers


@dataclass(frozen=True)
class _Work:
    """What all rows of a call share; see `answer_through`."""

    client: ChatClient
    settings: Inference
    variant: str
    answer_tokens: int
    counter: Counter
    described: Descriptions


def _answer_rows(work: _Work, rows: Sequence[Example]) -> Answers:
    started = time.perf_counter()
    pictures = {picture_key(row.image): "" for row in rows}
    for row in rows:
        key = picture_key(row.image)
        pictures[key] = pictures[key] or picture_url(decode_picture(row))
    descriptions, asked = _describe(work, rows, pictures)
    questions, contents = _ask_everything(rows, descriptions, pictures, work.settings)
    is_text = not all(map(options_of, rows))
    longest = max(work.answer_tokens, work.settings.max_new_tokens) if is_text else work.answer_tokens
    replies = work.client.reply(contents, [_SEED] * len(contents), with_chances=True, max_new_tokens=longest)
    work.counter.add(len(replies))
    answered = list(zip(questions, replies, strict=True))
    ranked = [letter_chances(reply, question.asked) for question, reply in answered]
    lacks = [bool(work.settings.describe_prompt) and not text for text in descriptions]
    answers = gather_answers(
        rows,
        work.variant,
        work.settings,
        descriptions,
        [False] * len(rows),
        questions,
        [chances for chances, _ in ranked],
        {question.row: reply.text for question, reply in answered if question.is_main},
        [
            [*odd, NO_DESCRIPTION] if lacks[question.row] and question.has_description else odd
            for question, (_, odd) in zip(questions, ranked, strict=True)
        ],
    )
    answers.counts = replace(
        _counts([*asked, *replies]),
        rows=len(rows),
        pictures=len(pictures),
        seconds=time.perf_counter() - started,
    )
    return answers


def _describe(
    work: _Work, rows: Sequence[Example], pictures: Mapping[str, str]
) -> tuple[list[str], list[Reply]]:
    """Stage one: a description a row, empty where the settings have no prompt for it; and what was asked."""
    if not work.settings.describe_prompt:
        return [""] * len(rows), []
    wanted = [(picture_key(row.image), _plain(describe_prompt(work.settings, row))) for row in rows]
    missing = [one for one in dict.fromkeys(wanted) if one not in work.described]
    contents = [message(pictures[picture], prompt) for picture, prompt in missing]
    replies = work.client.reply(contents, [_SEED] * len(contents))
    work.described.update(zip(missing, replies, strict=True))
    work.counter.add(len(rows))
    return [work.described[one].text for one in wanted], replies


def _ask_everything(
    rows: Sequence[Example], descriptions: Sequence[str], pictures: Mapping[str, str], settings: Inference
) -> tuple[list[Question], list[Content]]:
    """Stage two of every row in every way."""
    questions: list[Question] = []
    contents: list[Content] = []
    for mode, rotation in ways_of_asking(settings, max(map(options_of, rows))):
        for place, row in enumerate(rows):
            if not is_asked(row, mode, rotation):
                continue
            asked, words = ask(settings, row, descriptions[place], mode, rotation)
            # The server has the tokens, and cuts nothing without an error.
            question = Question(place, mode, rotation, Prompt([], is_cut=False), asked)
            picture = pictures[picture_key(row.image)] if question.has_picture else ""
            questions.append(question)
            contents.append(message(picture, _plain(words)))
    return questions, contents


def _plain(prompt: str) -> str:
    """The words of a prompt: the server puts the picture where its model has it."""
    return without_frame(prompt.replace(PICTURE_PLACE, ""))


def letter_chances(reply: Reply, asked: Example) -> tuple[list[float], list[str]]:
    """Probabilities of the letters of the options that are offered, among themselves; and what is odd.

    They are those of the tokens that might have been written where the answer's letter stands. Where a server
    does not tell them, or tells of fewer tokens than there are options, the letter that the answer names has
    it all, under the flag `no-probabilities`. What stands elsewhere is not looked at: it is no answer.

    Returns:
        Numbers that sum to 1, four at least, those of options that are not offered being 0; zeros for an
        answer that names no letter of theirs.
    """
    odd = [REFUSED] if reply.is_refused else []
    if not options_of(asked):
        return list(NO_CHANCES), [*odd, *([CUT_ANSWER] if reply.is_cut else [])]
    letters = OPTION_LETTERS[: len(asked.options)]
    named = named_letter(reply.text, asked.offered)
    if named is None:
        return [0.0] * len(letters), [*odd, *([CUT_ANSWER] if reply.is_cut else [])]
    chances: dict[str, float] = dict.fromkeys(letters, 0.0)
    alternatives = reply.chances.get(named.place, {})
    for letter, chance in _letters_in(alternatives, is_small=reply.text[named.place].islower()):
        if letter in OPTION_LETTERS[: asked.offered]:
            chances[letter] += chance
    if not chances[named.letter] or len(alternatives) < asked.offered:
        return [float(letter == named.letter) for letter in letters], [*odd, NO_PROBABILITIES]
    total = sum(chances.values())
    return [chance / total for chance in chances.values()], odd


def _letters_in(alternatives: Mapping[str, float], is_small: bool) -> Iterator[tuple[str, float]]:
    """Letters among the alternatives of a token, with their probabilities."""
    for token, chance in alternatives.items():
        letter = token.strip(_AROUND_LETTER)
        if len(letter) == 1 and letter.islower() == is_small:
            yield letter.upper(), chance


def _counts(replies: Sequence[Reply]) -> InferenceCounts:
    return InferenceCounts(
        prompts=len(replies),
        tokens=sum(reply.prompt_tokens for reply in replies),
        written_tokens=sum(reply.written_tokens for reply in replies),
    )
