"""Two stages through a model server: it describes the picture, then chooses a letter."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from blip_core.backends.openai_compatible import (
    ChatClient,
    Content,
    Reply,
    message,
    picture_url,
    without_frame,
)
from blip_core.inference.answers import Answers, gather_answers
from blip_core.inference.batching import Counter, Progress, no_progress
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.letters import read_letter
from blip_core.inference.predicting import ANSWER_TOKENS, passes_over
from blip_core.inference.prompting import (
    Question,
    ask,
    check_task,
    describe_prompt,
    ways_of_asking,
)
from blip_core.modeling.features import decode_picture, picture_key
from blip_core.modeling.text import Prompt
from blip_core.recipes.inference import Inference
from blip_core.records import OPTION_LETTERS, Example, most_offered

_SEED = 0  # nothing is sampled
_BEFORE_LETTER = " \t\n(\u2581\u0120"  # what tokenizers write for a space in front of a letter, and a bracket


@dataclass(frozen=True)
class ServedModel:
    """A model behind a server, ready to answer.

    Attributes:
        connect: opens a client; what it asks for is greedy.
        where: the server and the model, in words.
    """

    connect: Callable[[], ChatClient]
    where: str

    @property
    def unpacking(self) -> str:
        """How the language model is held: elsewhere."""
        return self.where

    def answer(
        self,
        examples: Sequence[Example],
        settings: Inference,
        variant: str,
        on_progress: Progress = no_progress,
    ) -> Answers:
        """Answer questions with options about pictures, see `answer_through`."""
        with self.connect() as client:
            return answer_through(client, examples, settings, variant, on_progress)


def answer_through(
    client: ChatClient,
    examples: Sequence[Example],
    settings: Inference,
    variant: str,
    on_progress: Progress = no_progress,
) -> Answers:
    """Answer questions with options about pictures through a server, in every way that the settings ask for.

    Rows are asked in batches, whose pictures are in memory together, in the words that a model which is
    loaded here reads. Options are ranked by the letters' probabilities at the first token where the server
    tells them, else the letter that the text opens with has all of it; a text that opens with none
    leaves every probability at 0 and the row without a letter.

    Args:
        client: asks the server.
        examples: questions of task `mcq`.
        settings: prompts, lengths, modes; how many rows are asked together.
        variant: name that the predictions carry.
        on_progress: told how many row passes are done of how many.

    Returns:
        One prediction an example, in order; one more for each ablation; and what it took.

    Raises:
        RecipeError: An example is of another task.
        TableError: A picture cannot be read.
        StageFailure: The server is away, refuses or answers something else.
    """
    check_task(examples)
    # What a server writes is its answer, so that it is kept whether free answers are asked for or not.
    settings = settings.model_copy(update={"free_generation": True})
    counter = Counter(passes_over(settings, examples) - len(examples), on_progress)
    answers = Answers()
    for start in range(0, len(examples), settings.batch_size):
        rows = examples[start : start + settings.batch_size]
        answers.include(_answer_rows(client, rows, settings, variant, counter))
    return answers


def _answer_rows(
    client: ChatClient, rows: Sequence[Example], settings: Inference, variant: str, counter: Counter
) -> Answers:
    started = time.perf_counter()
    pictures = {picture_key(row.image): "" for row in rows}
    for row in rows:
        key = picture_key(row.image)
        pictures[key] = pictures[key] or picture_url(decode_picture(row))
    described = _describe(client, rows, pictures, settings, counter)
    questions, contents = _ask_everything(rows, [one.text for one in described], pictures, settings)
    replies = client.reply(contents, [_SEED] * len(contents), first_token=True, max_new_tokens=ANSWER_TOKENS)
    counter.add(len(replies))
    chances = [
        letter_chances(reply, question.asked) for reply, question in zip(replies, questions, strict=True)
    ]
    written = {q.row: reply.text for q, reply in zip(questions, replies, strict=True) if q.is_main}
    texts = [one.text for one in described]
    answers = gather_answers(rows, variant, settings, texts, [False] * len(rows), questions, chances, written)
    said = [*(described if settings.describe_prompt else []), *replies]
    answers.counts = replace(
        _counts(said), rows=len(rows), pictures=len(pictures), seconds=time.perf_counter() - started
    )
    return answers


def _describe(
    client: ChatClient,
    rows: Sequence[Example],
    pictures: Mapping[str, str],
    settings: Inference,
    counter: Counter,
) -> list[Reply]:
    """Stage one; empty replies where the settings have no prompt for it."""
    if not settings.describe_prompt:
        return [Reply("")] * len(rows)
    contents = [
        message(pictures[picture_key(row.image)], without_frame(describe_prompt(settings, row)))
        for row in rows
    ]
    replies = client.reply(contents, [_SEED] * len(rows))
    counter.add(len(rows))
    return replies


def _ask_everything(
    rows: Sequence[Example], descriptions: Sequence[str], pictures: Mapping[str, str], settings: Inference
) -> tuple[list[Question], list[Content]]:
    """Stage two of every row in every way."""
    questions: list[Question] = []
    contents: list[Content] = []
    for mode, rotation in ways_of_asking(settings, most_offered(rows)):
        for place, row in enumerate(rows):
            if rotation >= row.offered:
                continue
            asked, words = ask(settings, row, descriptions[place], mode, rotation)
            # The server has the tokens, and cuts nothing without an error.
            question = Question(place, mode, rotation, Prompt([], is_cut=False), asked)
            picture = pictures[picture_key(row.image)] if question.has_picture else ""
            questions.append(question)
            contents.append(message(picture, without_frame(words)))
    return questions, contents


def letter_chances(reply: Reply, asked: Example) -> list[float]:
    """Probabilities of the letters of the options that are offered, among themselves.

    Returns:
        Numbers that sum to 1, four at least, those of options that are not offered being 0; or zeros for a
        reply that names no letter of theirs.
    """
    offered = OPTION_LETTERS[: asked.offered]
    chances = dict.fromkeys(OPTION_LETTERS[: len(asked.options)], 0.0)
    for letter, chance in _letters_in(reply):
        if letter in offered:
            chances[letter] += chance
    total = sum(chances.values())
    if total:
        return [chance / total for chance in chances.values()]
    written = read_letter(reply.text, asked.offered)
    return [float(letter == written) for letter in chances]


def _letters_in(reply: Reply) -> Iterator[tuple[str, float]]:
    """Letters among the alternatives of the first token, with their probabilities."""
    for token, chance in reply.first_token.items():
        letter = token.strip(_BEFORE_LETTER)
        if letter in OPTION_LETTERS:
            yield letter, chance


def _counts(replies: Sequence[Reply]) -> InferenceCounts:
    return InferenceCounts(
        prompts=len(replies),
        tokens=sum(reply.prompt_tokens for reply in replies),
        written_tokens=sum(reply.written_tokens for reply in replies),
    )
