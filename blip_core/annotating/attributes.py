"""Step: the word of each bank that fits a picture best, or none.

The word with the best score is taken where it is ahead of chance. Chance is what the word scores with
pictures that another word fits better, which are shuffled pairs of picture and text: the score must reach a
quantile of those. Each word has a bound of its own, because models favour some words with every picture. The
best of several words is ahead by chance more often than one alone: the quantile is that of Sidak 1967.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from blip_core.annotating.step import Context, Facts, Step, Worked, batches, part, refuse
from blip_core.images import decode_picture
from blip_core.recipes.annotations import Attributes, Bank
from blip_core.records import Example, Rejection
from blip_core.texts import loose

CALIBRATION_ROWS = 512  # the quantile 0.95 of them stands on 25 pairs
MIN_PAIRS = 20  # a quantile of 0.95 says something of as many

AGREES = "-agrees"
"""After an attribute's name: the score of a row that knew it before, 1 where the found word is the same."""

Scores = dict[str, list[list[float]]]


def calibrate(rows: Sequence[Example], settings: Attributes, context: Context) -> Facts:
    """The score that each word must reach, from pictures spread over all rows."""
    step = max(1, len(rows) // CALIBRATION_ROWS)
    chosen = rows[::step][:CALIBRATION_ROWS]
    scores = _scores(chosen, settings, context)
    return {
        "pictures": len(chosen),
        "bounds": {bank.name: bounds_of(scores[bank.name], settings.quantile) for bank in settings.banks},
    }


def bounds_of(scores: Sequence[Sequence[float]], quantile: float) -> list[float]:
    """The bound of each word.

    Args:
        scores: a row a picture, a column a word.
        quantile: share of shuffled pairs below the bound.

    Returns:
        The quantile of what a word scores with pictures that another one fits better; of a word with too few
        of those, or of all words where there are too few in all, minus 1: nothing is known of chance.
    """
    table = np.asarray(scores, dtype=np.float64)
    best, each = table.argmax(axis=1), quantile ** (1 / table.shape[1])
    shuffled = [table[best != word, word] for word in range(table.shape[1])]
    return [float(np.quantile(one, each)) if len(one) >= MIN_PAIRS else -1.0 for one in shuffled]


def find_attributes(rows: Sequence[Example], settings: Attributes, context: Context) -> Worked:
    """Store the best word of each bank and its score; where the recipe says so, write them into the text.

    Reason: `attribute-missing`, of a text that needs an attribute which the row does not tell.
    """
    scores = _scores(rows, settings, context)
    bounds: Mapping[str, Sequence[float]] = context.facts["bounds"]
    made = []
    for place, row in enumerate(rows):
        words, found = dict(row.attributes), dict(row.scores)
        for bank in settings.banks:
            best = _best(bank, scores[bank.name][place], bounds[bank.name], settings.undefined)
            if bank.name in words:
                found[f"{bank.name}{AGREES}"] = float(_agree(best[0], words[bank.name], settings.undefined))
            words[bank.name], found[bank.name], found[f"{bank.name}-margin"] = best
        made.append(replace(row, attributes=words, scores=found))
    return part(made, lambda row: _written(row, settings))


def _agree(found: str, known: str, undefined: str) -> bool:
    """Whether a word is the one that was known; a word for none, where it was known that there is none."""
    return loose(found) == loose(known or undefined)


def agreement(rows: Iterable[Example]) -> dict[str, list[float]]:
    """Of each attribute that was known before: share of rows whose found word is the known one, and rows."""
    told: dict[str, list[float]] = {}
    for row in rows:
        for name, score in row.scores.items():
            if name.endswith(AGREES):
                told.setdefault(name.removesuffix(AGREES), []).append(score)
    return {name: [sum(scores) / len(scores), len(scores)] for name, scores in sorted(told.items())}


def _best(
    bank: Bank, scores: Sequence[float], bounds: Sequence[float], undefined: str
) -> tuple[str, float, float]:
    """Word, score, and how far that is above the word's bound."""
    place = int(np.argmax(scores))
    margin = scores[place] - bounds[place]
    return bank.words[place] if margin >= 0 else undefined, scores[place], margin


def _written(row: Example, settings: Attributes) -> Example | Rejection:
    if not settings.writes:
        return row
    empty = {name: word or settings.undefined for name, word in row.attributes.items()}
    try:
        return replace(row, target=filled(settings.writes, replace(row, attributes=empty)))
    except KeyError as error:
        return refuse(row, "attribute-missing", f"the row has no attribute {error.args[0]}")


def filled(template: str, row: Example) -> str:
    """A template with what is known of a row.

    Raises:
        KeyError: The row has no such attribute.
    """
    texts = {name: getattr(row, name) for name in ("target", "description", "category", "kind", "context")}
    return template.format(**{**texts, **row.attributes})


def _scores(rows: Sequence[Example], settings: Attributes, context: Context) -> Scores:
    scorer = context.models.open("picture-text")
    texts = [bank.prompt.format(word=word) for bank in settings.banks for word in bank.words]
    found: list[list[float]] = []
    for batch in batches(rows, settings.batch_size):
        pictures = [decode_picture(row.image, row.id) for row in batch]
        found += scorer.score(pictures, [texts] * len(batch))
    apart: Scores = {}
    start = 0
    for bank in settings.banks:
        apart[bank.name] = [row[start : start + len(bank.words)] for row in found]
        start += len(bank.words)
    return apart


STEP = Step(
    "attributes", "the word of each bank that fits the picture best", Attributes, find_attributes, calibrate
)
