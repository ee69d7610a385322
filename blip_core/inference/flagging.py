"""Slugs for what is odd about an answer."""

from collections.abc import Iterator

from blip_core.kinds import kind_of
from blip_core.records import NO_PROBABILITIES, Prediction

NO_LETTER = "no-letter"
NO_TEXT = "no-text"
DISAGREES = "disagrees"
CUT_PROMPT = "cut-prompt"
LOW_MARGIN = "low-margin"
CUT_ANSWER = "cut-answer"
REFUSED = "refused"
NO_DESCRIPTION = "no-description"
NO_SPAN = "no-span"
OF_SERVERS = (CUT_ANSWER, REFUSED, NO_DESCRIPTION, NO_PROBABILITIES)
"""What may be odd about the answers of a server; in the words of a stage they are counted.

`cut-answer`: the longest answer was reached before it named a letter. `refused`: the model refused to
answer, or a filter held the answer back. `no-description`: stage one gave no text. `no-probabilities`: the
server does not tell how likely the letters were, so that the one that the text names has it all.
"""
COUNTED = (*OF_SERVERS, NO_SPAN)
"""Those that a stage counts: `no-span` is an extractive reader's that found no answer in a description."""

MIN_MARGIN = 0.05
"""Probability by which the best option should lead: with less, the answer might as well be the second."""


def flags_of(prediction: Prediction, wrote_freely: bool, is_cut: bool) -> str:
    """What is odd about an answer, parted by spaces.

    `no-letter`: no letter could be read from the free answer, or none was ranked. `disagrees`: the letter
    read from it is not the one ranked first. `cut-prompt`: a prompt was too long and lost its middle.
    `low-margin`: see `MIN_MARGIN`. `no-text`: a row without options was answered by nothing.
    """
    if not kind_of(prediction.task).has_options:
        return " ".join(_slugs_of_text(prediction, is_cut))
    return " ".join(_slugs(prediction, wrote_freely, is_cut))


def _slugs_of_text(prediction: Prediction, is_cut: bool) -> Iterator[str]:
    if not prediction.generated:
        yield NO_TEXT
    if is_cut:
        yield CUT_PROMPT


def _slugs(prediction: Prediction, wrote_freely: bool, is_cut: bool) -> Iterator[str]:
    if not prediction.ranked or (wrote_freely and not prediction.generated_letter):
        yield NO_LETTER
    if prediction.generated_letter and prediction.generated_letter != prediction.ranked:
        yield DISAGREES
    if is_cut:
        yield CUT_PROMPT
    if prediction.ranked and prediction.margin < MIN_MARGIN:
        yield LOW_MARGIN
