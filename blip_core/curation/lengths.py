"""Gate: texts that can be learnt from."""

import re
from collections.abc import Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.kinds import kind_of
from blip_core.kinds.mcq import listed
from blip_core.recipes.curation_of_texts import Lengths
from blip_core.records import OPTION_LETTERS, Example, Rejection
from blip_core.texts import are_alike, exact, is_repeated, loose

_PUNCTUATION = " .,;:!?"  # at the ends of an option, which stands inside a question without


def check_texts(rows: Sequence[Example], settings: Lengths) -> Kept:
    """Refuse rows whose texts are empty, contradict themselves or have a description out of bounds.

    Reasons: `empty-text`, `too-short`, `too-long`, and for four-option questions `repeated-options`,
    `answer-not-a-letter`, `answer-leaks`.
    """
    return part(rows, lambda row: _judge(row, settings))


def _judge(row: Example, settings: Lengths) -> Rejection | None:
    kind = kind_of(row.task)
    empty = kind.empty_field(row)
    if empty:
        return refuse(row, "empty-text", f"{empty} is empty")
    return _judge_length(row, settings) or (_judge_options(row) if kind.has_options else None)


def _judge_length(row: Example, settings: Lengths) -> Rejection | None:
    """Captions describe in their target; questions need no description where there is one stage only."""
    description = kind_of(row.task).described(row)
    words = len(description.split())
    if not words:
        return None
    if words < settings.min_words:
        return refuse(row, "too-short", f"{words} words, at least {settings.min_words}: {description!r}")
    if words > settings.max_words:
        return refuse(row, "too-long", f"{words} words, at most {settings.max_words}")
    return None


def _judge_options(row: Example) -> Rejection | None:
    options = listed(row)
    letters = OPTION_LETTERS[: len(options)]
    if row.answer not in letters:
        return refuse(row, "answer-not-a-letter", f"{row.answer!r} is none of {', '.join(letters)}")
    if is_repeated(options):
        return refuse(row, "repeated-options", " | ".join(options))
    right = letters.index(row.answer)
    asked = f"{row.context}\n{row.question}" if row.context else row.question
    if _named(asked, options) == [right]:
        return refuse(row, "answer-leaks", f"{asked!r} contains the answer {options[right]!r}")
    return None


def _named(question: str, options: Sequence[str]) -> list[int]:
    """Places of the options that a question names; one that names several ("a bus or a train?") gives nothing
    away. Case and width count where two options differ in them alone.
    """
    form = exact if are_alike(options) else loose
    asked = form(question)
    names = [form(option).strip(_PUNCTUATION) for option in options]
    return [place for place, name in enumerate(names) if name and _stands_in(asked, name)]


def _stands_in(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


GATE = Gate(
    "lengths", "texts that are empty, contradict themselves or are out of bounds", Lengths, check_texts
)
