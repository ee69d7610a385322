"""How likely a model finds what labels say: a judge that tells more than its answer."""

import math
from collections.abc import Sequence

import torch

from blip_core.inference.batching import Counter, no_progress, windows, work_in_batches
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.encoding import PictureEncoder
from blip_core.inference.letters import LANGUAGE_MODEL
from blip_core.inference.predicting import WINDOW_ROWS, answer_questions
from blip_core.inference.prompting import describe_prompt, options_of, stage_two
from blip_core.inference.ranking import text_scores
from blip_core.inference.work import Work
from blip_core.modeling.features import VisionStates
from blip_core.modeling.finite import finite_rows, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from blip_core.modeling.text import Prompt, tokenise_prompts
from blip_core.ports import Weight
from blip_core.recipes.inference import Inference
from blip_core.records import OPTION_LETTERS, Example, Mode

SMALLEST_CHANCE = 1e-12  # of a letter whose logarithm is told: float32 rounds less to 0


def weigh_labels(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    settings: Inference,
    mode: Mode = "both",
    *,
    states: VisionStates | None = None,
) -> list[Weight]:
    """How likely a model finds what labels say: their right answers, and their descriptions.

    Stage two reads the label's own description, not the model's, in one way of asking. The description is
    weighed as an answer to stage one, see `text_scores`, where the mode is `both` and there is a prompt of
    stage one.

    Args:
        bundle: the model.
        examples: rows of any kind.
        settings: prompts and batch size.
        mode: what stage two sees.
        states: where outputs of the vision tower are kept, if anywhere.

    Raises:
        NotANumber: A likelihood is none; the message names its row.
    """
    bundle.model.eval()
    counts = InferenceCounts()
    encoder = PictureEncoder(bundle, settings.batch_size, counts, states)
    weights: list[Weight] = []
    for rows in windows(examples, WINDOW_ROWS):
        work = Work(bundle, settings, counts, Counter(0, no_progress), encoder.features_of(rows))
        weights += _weigh(work, rows, mode)
    return weights


def _weigh(work: Work, rows: Sequence[Example], mode: Mode) -> list[Weight]:
    answers = _weigh_answers(work, rows, mode)
    described = _weigh_descriptions(work, rows) if mode == "both" else {}
    return [Weight(*answers[place], described.get(place)) for place in range(len(rows))]


def _weigh_descriptions(work: Work, rows: Sequence[Example]) -> dict[int, float]:
    """By row, where there is a prompt of stage one and the row has a description."""
    if not work.settings.describe_prompt:
        return {}
    places = [place for place, row in enumerate(rows) if row.description.strip()]
    told = [rows[place] for place in places]
    prompts = tokenise_prompts(work.bundle, [describe_prompt(work.settings, row) for row in told])
    found = _likelihoods(work, told, prompts, [row.description for row in told])
    return dict(zip(places, found, strict=True))


def _weigh_answers(work: Work, rows: Sequence[Example], mode: Mode) -> dict[int, tuple[float, bool | None]]:
    """By row, and whether no other option is likelier."""
    asked = stage_two(work.bundle, rows, [row.description for row in rows], work.settings, mode, 0)
    lettered = [question for question in asked if options_of(question.asked)]
    chances, _ = answer_questions(work, lettered)
    weights: dict[int, tuple[float, bool | None]] = {}
    for question, row in zip(lettered, chances, strict=True):
        letters = OPTION_LETTERS[: question.asked.offered]
        own = row[letters.index(question.asked.answer)] if question.asked.answer in letters else 0.0
        is_right = own > 0.0 and own == max(row) and row.count(own) == 1
        weights[question.row] = math.log(max(own, SMALLEST_CHANCE)), is_right
    free = [question for question in asked if not options_of(question.asked)]
    found = _likelihoods(
        work,
        [question.asked for question in free],
        [question.prompt for question in free],
        [question.asked.target for question in free],
    )
    return weights | {question.row: (chance, None) for question, chance in zip(free, found, strict=True)}


@torch.inference_mode()
def _likelihoods(
    work: Work, rows: Sequence[Example], prompts: Sequence[Prompt], texts: Sequence[str]
) -> list[float]:
    """Mean log-probability of a text's tokens after each prompt about its picture; see `text_scores`."""
    scores = [0.0] * len(rows)

    def score(batch: Sequence[int]) -> None:
        candidates = [[work.candidate(texts[place])] for place in batch]
        room = max(len(own) for (own,) in candidates)
        pictures = [work.features_of(rows[place]) for place in batch]
        reader = work.read([prompts[place] for place in batch], pictures, room)
        found = text_scores(work.bundle, reader, candidates, work.counts)
        refuse_rows(finite_rows(found), [rows[place].id for place in batch], LANGUAGE_MODEL)
        for place, (value,) in zip(batch, found.tolist(), strict=True):
            scores[place] = value

    with quick_linears(work.bundle.model):
        work_in_batches(work.batches(prompts), score, work.counts)
    return scores
