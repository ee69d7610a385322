"""Gate: texts that can be learnt from."""

import re
from collections.abc import Sequence

from blip_core.curation.gate import Kept, normalised, part, refuse
from blip_core.recipes.curation import Lengths
from blip_core.records import OPTION_LETTERS, Example, Rejection


def check_texts(rows: Sequence[Example], settings: Lengths) -> Kept:
    """Refuse rows whose texts are empty, contradict themselves or have a description out of bounds.

    Reasons: `empty-text`, `too-short`, `too-long`, and for four-option questions `repeated-options`,
    `answer-not-a-letter`, `answer-leaks`.
    """
    return part(rows, lambda row: _judge(row, settings))


def _judge(row: Example, settings: Lengths) -> Rejection | None:
    empty = _empty_field(row)
    if empty:
        return refuse(row, "empty-text", f"{empty} is empty")
    return _judge_length(row, settings) or (_judge_options(row) if row.task == "mcq" else None)


def _empty_field(row: Example) -> str | None:
    texts = {"target": row.target}
    if row.task != "caption":
        texts["question"] = row.question
    if row.task == "mcq":
        texts |= dict(zip(OPTION_LETTERS, _listed(row), strict=False))
    return next((name for name, text in texts.items() if not text.strip()), None)


def _listed(row: Example) -> tuple[str, ...]:
    """The options up to the last one that is written, two at least."""
    written = [place for place, option in enumerate(row.options) if option.strip()]
    return row.options[: max([1, *written]) + 1]


def _judge_length(row: Example, settings: Lengths) -> Rejection | None:
    """Captions describe in their target; questions need no description where there is one stage only."""
    description = row.target if row.task == "caption" else row.description
    words = len(description.split())
    if not words:
        return None
    if words < settings.min_words:
        return refuse(row, "too-short", f"{words} words, at least {settings.min_words}: {description!r}")
    if words > settings.max_words:
        return refuse(row, "too-long", f"{words} words, at most {settings.max_words}")
    return None


def _judge_options(row: Example) -> Rejection | None:
    options = [normalised(option) for option in _listed(row)]
    letters = OPTION_LETTERS[: len(options)]
    if row.answer not in letters:
        return refuse(row, "answer-not-a-letter", f"{row.answer!r} is none of {', '.join(letters)}")
    if len(set(options)) < len(options):
        return refuse(row, "repeated-options", " | ".join(_listed(row)))
    right = options[OPTION_LETTERS.index(row.answer)]
    if _leaks(normalised(row.question), right, [option for option in options if option != right]):
        return refuse(row, "answer-leaks", f"{row.question!r} contains the answer {right!r}")
    return None


def _leaks(question: str, right: str, wrong: Sequence[str]) -> bool:
    """A question that names a wrong option too ("a bus or a train?") gives nothing away."""
    return _names(question, right) and not any(_names(question, option) for option in wrong)


def _names(question: str, option: str) -> bool:
    return bool(option) and re.search(rf"(?<!\w){re.escape(option)}(?!\w)", question) is not None
