"""The order of options, where a table's own favours a letter."""

import re
from collections.abc import Iterable
from dataclasses import replace

from blip_core.labelling import ParsedLabel, shuffle_options
from blip_core.ports import row_seed
from blip_core.records import LETTERS, Example

_TELLS_ITS_PLACE = re.compile(r"\b(?i:above|below)\b|\b[A-D],? (?:and|or|nor|&) [A-D]\b")


def shuffle_rows(examples: Iterable[Example], seed: int) -> list[Example]:
    """Put the options of every example in an order drawn by its id; the letter follows the right text.

    Where an option speaks of others by their place ("none of the above"), and where there are fewer than
    four, the order stays.
    """
    return [_shuffled(example, seed) for example in examples]


def _shuffled(example: Example, seed: int) -> Example:
    letter = next((letter for letter in LETTERS if letter == example.answer), None)
    if letter is None or any(not one or _TELLS_ITS_PLACE.search(one) for one in example.options):
        return example
    label = ParsedLabel(example.description, example.question, example.options, letter)
    shuffled = shuffle_options(label, row_seed(seed, "options", example.id))
    a, b, c, d = shuffled.options
    return replace(example, a=a, b=b, c=c, d=d, answer=shuffled.answer)
