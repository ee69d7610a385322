"""Step: texts that are too short are gone on with by whoever drafted them.

Zhu et al., "MiniGPT-4", 2023 (arXiv 2304.10592), section 3.2: a description of fewer than 80 tokens is
continued and joined.
"""

from collections.abc import Sequence
from dataclasses import replace

from blip_core.annotating.drafting import ask
from blip_core.annotating.step import Context, Step, Worked, text_of, with_text
from blip_core.ports import TokenCounter
from blip_core.recipes.annotations import Continue
from blip_core.records import Example

SCORE = "continued"  # times that a text was gone on with


def go_on(rows: Sequence[Example], settings: Continue, context: Context) -> Worked:
    """Join short texts with what the model goes on to say; one of which no more is said stays."""
    made = list(rows)
    for turn in range(settings.rounds):
        lengths = _lengths([text_of(row, settings.text) for row in made], context)
        short = [
            place
            for place, row in enumerate(made)
            if 0 < lengths[place] < settings.min_tokens and _is_open(row, turn)
        ]
        asked = [made[place] for place in short]
        prompts = [settings.prompt.format(text=text_of(row, settings.text)) for row in asked]
        for place, said in zip(short, ask(asked, settings.batch_size, prompts, context, turn), strict=True):
            made[place] = _joined(made[place], said, settings.text)
    return made, []


def _lengths(texts: Sequence[str], context: Context) -> list[int]:
    """Tokens of each text as whoever drafted it counts them; words, of a model that stands elsewhere."""
    labeller = context.models.open("labeller")
    if isinstance(labeller, TokenCounter):
        return labeller.count_tokens(texts)
    return [len(text.split()) for text in texts]


def _is_open(row: Example, turn: int) -> bool:
    """Whether every turn so far added something: a model that has said all would say it again."""
    return row.scores.get(SCORE, 0.0) >= turn


def _joined(row: Example, said: str, field: str) -> Example:
    before, after = text_of(row, field).strip(), " ".join(said.split())
    after = after.removeprefix(before).strip()  # some repeat what they were given
    if not after:
        return row
    scores = {**row.scores, SCORE: row.scores.get(SCORE, 0.0) + 1}
    return replace(with_text(row, field, f"{before} {after}"), scores=scores)


STEP = Step("continue", "texts that are too short, gone on with by who drafted them", Continue, go_on)
