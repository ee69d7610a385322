"""Two stages over many rows: describe the picture, then choose a letter or write."""

import time
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from blip_core.inference.answers import NO_CHANCES, Answers, gather_answers
from blip_core.inference.batching import (
    Counter,
    Progress,
    no_progress,
    windows,
    work_in_batches,
)
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.encoding import Features, PictureEncoder
from blip_core.inference.generating import write_texts
from blip_core.inference.letters import LANGUAGE_MODEL, chances_of
from blip_core.inference.prompting import (
    Question,
    describe_prompt,
    options_of,
    stage_two,
    ways_of_asking,
)
from blip_core.inference.ranking import letter_scores, text_scores
from blip_core.inference.reading import Reader
from blip_core.inference.work import Work
from blip_core.kinds import kind_of
from blip_core.modeling.features import VisionStates, picture_key
from blip_core.modeling.finite import finite_rows, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from blip_core.modeling.text import Prompt, tokenise_prompts
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example, Prediction, most_offered

ANSWER_TOKENS = 8  # enough for "B) the Eiffel Tower" to show its letter, or the lack of one
WINDOW_ROWS = 512  # rows whose pictures and prompts are in memory together: the more, the fewer pads


def predict(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    settings: Inference,
    variant: str,
    on_progress: Progress = no_progress,
    *,
    states: VisionStates | None = None,
) -> list[Prediction]:
    """Answer rows about pictures, see `answer`; the answers alone."""
    return answer(bundle, examples, settings, variant, on_progress, states=states).predictions


def answer(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    settings: Inference,
    variant: str,
    on_progress: Progress = no_progress,
    *,
    states: VisionStates | None = None,
) -> Answers:
    """Answer questions about pictures, or describe them, in every way that the settings ask for.

    Each distinct picture is encoded once, for both stages and for all questions about it, and described once
    for all whose prompt of stage one is the same; a Q-Former that reads what is asked runs once a prompt.
    Options are ranked at the answer's first position, or by their texts; where the settings ask for it, an
    answer is written freely beside. Rotations and ablations read the same descriptions. Rows without options
    are answered by a text alone, of up to `max_new_tokens`.

    Args:
        bundle: the model, with or without adapter.
        examples: rows of any kind.
        settings: prompts, batch size, lengths, modes.
        variant: name that the predictions carry.
        on_progress: told how many row passes are done of how many.
        states: where outputs of the vision tower are kept, if anywhere.

    Returns:
        One prediction an example, in order; one more for each ablation; and what it took.

    Raises:
        RecipeError: There is no kind of the task that an example names.
        TableError: A picture cannot be read.
        CheckpointError: The tokenizer has no single token for a letter.
        StageFailure: Memory does not suffice for a single row.
    """
    counter = Counter(passes_over(settings, examples), on_progress)
    answers = Answers()
    for part in answer_windows(bundle, examples, settings, variant, counter, states=states):
        answers.include(part)
    return answers


def answer_windows(
    bundle: Blip2Bundle,
    examples: Iterable[Example],
    settings: Inference,
    variant: str,
    counter: Counter | None = None,
    *,
    states: VisionStates | None = None,
) -> Iterator[Answers]:
    """Answer rows that come one by one, `WINDOW_ROWS` in memory at a time; see `answer`.

    Questions about one picture should follow each other: a picture is forgotten when a window has none.
    """
    bundle.model.eval()
    counts = InferenceCounts()
    encoder = PictureEncoder(bundle, settings.batch_size, counts, states)
    counter = counter or Counter(0, no_progress)
    for rows in windows(examples, WINDOW_ROWS):
        started = time.perf_counter()
        work = Work(bundle, settings, counts, counter, encoder.features_of(rows))
        answers = _answer_rows(work, rows, variant)
        counts.rows, counts.seconds = len(rows), time.perf_counter() - started
        answers.counts.include(counts)
        counts.clear()
        yield answers


def passes_over(settings: Inference, examples: Sequence[Example]) -> int:
    """How often rows are worked on in all: described, asked in every way, answered freely."""
    return sum(_passes(settings, options_of(example)) for example in examples)


def _passes(settings: Inference, options: int) -> int:
    described = int(bool(settings.describe_prompt))
    if not options:
        return described + 1
    return described + settings.free_generation + len(ways_of_asking(settings, options))


def describe(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    features: Features,
    settings: Inference,
    counter: Counter | None = None,
) -> list[str]:
    """Stage one: descriptions, one an example; empty where the settings have no prompt for them."""
    counter = counter or Counter(len(examples), no_progress)
    return describe_rows(Work(bundle, settings, InferenceCounts(), counter, features), examples)[0]


def _answer_rows(work: Work, rows: Sequence[Example], variant: str) -> Answers:
    settings = work.settings
    descriptions, cut = describe_rows(work, rows)
    questions = [
        question
        for mode, rotation in ways_of_asking(settings, max(map(options_of, rows)))
        for question in stage_two(work.bundle, rows, descriptions, settings, mode, rotation)
    ]
    lettered = [place for place, question in enumerate(questions) if options_of(question.asked)]
    ranked, written = answer_questions(work, [questions[place] for place in lettered])
    chances: list[Sequence[float]] = [NO_CHANCES] * len(questions)
    for place, row in zip(lettered, ranked, strict=True):
        chances[place] = row
    free = [question for question in questions if not options_of(question.asked)]
    closed = [question for question in free if settings.closed_answers and kind_of(question.asked.task).asks]
    written |= choose_answers(work, closed)
    written |= write_freely(work, [question for question in free if question.row not in written])
    return gather_answers(rows, variant, settings, descriptions, cut, questions, chances, written)


@torch.inference_mode()
def describe_rows(work: Work, rows: Sequence[Example]) -> tuple[list[str], list[bool]]:
    """Descriptions, and whether the prompt of each was cut."""
    settings = work.settings
    if not settings.describe_prompt:
        return [""] * len(rows), [False] * len(rows)
    prompts = tokenise_prompts(work.bundle, [describe_prompt(settings, row) for row in rows])
    alike = _alike(rows, prompts)
    texts = [""] * len(rows)

    def write(batch: Sequence[int]) -> None:
        groups = [alike[place] for place in batch]
        pictures = [work.features_of(rows[group[0]]) for group in groups]
        names = [rows[group[0]].id for group in groups]
        written = work.write([prompts[group[0]] for group in groups], pictures, names)
        for group, text in zip(groups, written, strict=True):
            for row in group:
                texts[row] = text
        work.counter.add(sum(map(len, groups)))

    batches = work.batches([prompts[group[0]] for group in alike])
    with quick_linears(work.bundle.model):
        work_in_batches(batches, write, work.counts)
    return texts, [prompt.is_cut for prompt in prompts]


def _alike(rows: Sequence[Example], prompts: Sequence[Prompt]) -> list[list[int]]:
    """Rows that show the same picture and say the same about it, so that one description serves them all."""
    found: dict[tuple[str, tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for place, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
        said = tuple(prompt.ids), tuple(prompt.instruction or ())
        found.setdefault((picture_key(row.image), *said), []).append(place)
    return list(found.values())


@torch.inference_mode()
def answer_questions(work: Work, questions: Sequence[Question]) -> tuple[list[list[float]], dict[int, str]]:
    """Probabilities for every question as it is asked, and free answers by row."""
    chances: list[list[float]] = [[] for _ in questions]
    written: dict[int, str] = {}

    def rank(batch: Sequence[int]) -> None:
        asked = [questions[place] for place in batch]
        pictures = [work.features_of(question.asked) for question in asked if question.has_picture]
        candidates = _candidates(work, asked)
        room = max([ANSWER_TOKENS, *(len(one) for of_prompt in candidates for one in of_prompt)])
        reader = work.read([question.prompt for question in asked], pictures, room)
        rows = [question.asked for question in asked]
        ranked = chances_of(_scores(work, reader, candidates, most_offered(rows)), rows)
        texts = _write_answers(work, reader, asked)
        for index, row in zip(batch, ranked, strict=True):
            chances[index] = row
        written.update(texts)
        work.counter.add(len(batch) + len(texts))

    batches = work.batches([question.prompt for question in questions])
    with quick_linears(work.bundle.model):
        work_in_batches(batches, rank, work.counts)
    return chances, written


@torch.inference_mode()
def write_freely(work: Work, questions: Sequence[Question]) -> dict[int, str]:
    """Texts that answer rows without options, by row."""
    texts: dict[int, str] = {}

    def write(batch: Sequence[int]) -> None:
        asked = [questions[place] for place in batch]
        pictures = [work.features_of(question.asked) for question in asked]
        names = [question.asked.id for question in asked]
        written = work.write([question.prompt for question in asked], pictures, names)
        texts.update(zip((question.row for question in asked), written, strict=True))
        work.counter.add(len(batch))

    with quick_linears(work.bundle.model):
        work_in_batches(work.batches([question.prompt for question in questions]), write, work.counts)
    return texts


@torch.inference_mode()
def choose_answers(work: Work, questions: Sequence[Question]) -> dict[int, str]:
    """The likeliest of the closed answers to rows without options, by row; see `text_scores`."""
    texts: dict[int, str] = {}
    answers = work.settings.closed_answers
    candidates = [work.candidate(answer) for answer in answers]
    room = max(map(len, candidates), default=0)

    def choose(batch: Sequence[int]) -> None:
        asked = [questions[place] for place in batch]
        pictures = [work.features_of(question.asked) for question in asked]
        reader = work.read([question.prompt for question in asked], pictures, room)
        scores = text_scores(work.bundle, reader, [candidates] * len(asked), work.counts)
        refuse_rows(finite_rows(scores), [question.asked.id for question in asked], LANGUAGE_MODEL)
        best = scores.argmax(dim=1).tolist()
        texts.update({question.row: answers[place] for question, place in zip(asked, best, strict=True)})
        work.counter.add(len(batch))

    # Each prompt is continued once an answer: fewer prompts at once take no more memory than free answers do.
    at_once = max(1, work.settings.batch_size // max(1, len(answers)))
    prompts = [question.prompt for question in questions]
    with quick_linears(work.bundle.model):
        work_in_batches(work.batches(prompts, at_once), choose, work.counts)
    return texts


def _candidates(work: Work, asked: Sequence[Question]) -> list[list[list[int]]]:
    if not work.ranks_texts:
        return []
    offered = [question.asked.options[: question.asked.offered] for question in asked]
    return [[work.candidate(option) for option in options] for options in offered]


def _scores(
    work: Work, reader: Reader, candidates: Sequence[Sequence[Sequence[int]]], most_offered: int
) -> Tensor:
    if candidates:
        return text_scores(work.bundle, reader, candidates, work.counts)
    return letter_scores(work.bundle, reader, max(most_offered, len(LETTERS)))


def _write_answers(work: Work, reader: Reader, asked: Sequence[Question]) -> dict[int, str]:
    """Free answers to the rows as they stand, by row; what was read for ranking is not read again."""
    main = [place for place, question in enumerate(asked) if question.is_main]
    if not work.settings.free_generation or not main:
        return {}
    if len(main) < len(asked):
        reader.keep(torch.tensor(main, device=reader.first_logits.device))
    names = [asked[place].asked.id for place in main]
    texts = write_texts(work.bundle, reader, ANSWER_TOKENS, work.settings.beams, work.counts, names)
    return {asked[place].row: text for place, text in zip(main, texts, strict=True)}
