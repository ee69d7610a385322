"""The order of options, where a table's own favours a letter."""

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from blip_core.ports import row_seed
from blip_core.records import LETTERS, OPTION_LETTERS, Example


def shuffle_rows(examples: Iterable[Example], seed: int) -> list[Example]:
    """Put the options of every example in an order drawn by its id; the letter follows the right text.

    Where an option speaks of others by their place ("none of the above"), and where there are fewer than
    four, the order stays.
    """
    return [_shuffled(example, seed) for example in examples]


def _shuffled(example: Example, seed: int) -> Example:
    options = example.options[: example.offered]
    letters = OPTION_LETTERS[: len(options)]
    right = next((place for place, letter in enumerate(letters) if letter == example.answer), None)
    if right is None or len(options) < len(LETTERS) or _tell_their_places(options):
        return example
    rng = np.random.default_rng(row_seed(seed, "options", example.id))
    order = [int(place) for place in rng.permutation(len(options))]
    shuffled = example.with_options([options[place] for place in order])
    return replace(shuffled, answer=letters[order.index(right)])


def _tell_their_places(options: tuple[str, ...]) -> bool:
    letter = f"[{OPTION_LETTERS[0]}-{OPTION_LETTERS[len(options) - 1]}]"
    place = re.compile(rf"\b(?i:above|below)\b|\b{letter},? (?:and|or|nor|&) {letter}\b")
    return any(place.search(option) for option in options)
