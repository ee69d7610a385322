"""A label with four options: how it is read, written and shuffled."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from blip_core.kinds.label_text import (
    EXCERPT_CHARS,
    MAX_DESCRIPTION_CHARS,
    MAX_OPTION_CHARS,
    MAX_QUESTION_CHARS,
    ParsedLabel,
    Refusal,
    is_template,
    parts_seen,
    refuse_texts,
    split_parts,
)
from blip_core.records import LETTERS, Letter
from blip_core.texts import exact, places_of

_ANSWER = re.compile(r"\(?([A-Da-d])[.):]*(?:\s+(.+))?", re.DOTALL)
_NAMES_LETTERS = re.compile(r"\b(?i:of the above)\b|\b[A-D],? (?:and|or|nor|&) [A-D]\b")


def parse_label(text: str) -> ParsedLabel | Refusal:
    """Read a labeller's text.

    The form is `Description:`, `Question:`, four options `A.` to `D.` and `Answer:` with a letter, each at
    the start of a line. Case, bold marks, brackets around letters and stray spaces do not matter;
    description, question and options may go on over several lines; what follows the answer is left out. The
    answer may repeat its option's text. Takes linear time and never raises.

    Returns:
        The label, or a refusal: `missing-description`, `missing-question`, `missing-option`,
        `missing-answer`, `answer-not-a-letter`, `repeated-part` (a part comes twice), `repeated-option` (two
        options say the same), `option-names-letters` (shuffling would make it wrong), `template-echo`,
        `too-long`.
    """
    parts = split_parts(text)
    if isinstance(parts, Refusal):
        return parts
    missing = _missing(parts)
    if missing:
        return missing
    options = (parts["A"], parts["B"], parts["C"], parts["D"])
    refusal = _check_texts(parts["description"], parts["question"], options)
    if refusal:
        return refusal
    answer = _read_answer(parts["answer"], options)
    if isinstance(answer, Refusal):
        return answer
    return ParsedLabel(parts["description"], parts["question"], options, answer)


def format_label(label: ParsedLabel) -> str:
    """Write a label in the form that `parse_label` reads."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, label.options, strict=True)]
    head = f"Description: {label.description}\n\nQuestion: {label.question}\n"
    return head + "\n".join(lines) + f"\n\nAnswer: {label.answer}"


def shuffle_options(label: ParsedLabel, seed: int) -> ParsedLabel:
    """Shuffle the options; the answer's letter follows its text."""
    order = [int(place) for place in np.random.default_rng(seed).permutation(len(LETTERS))]
    first, second, third, fourth = (label.options[place] for place in order)
    answer = LETTERS[order.index(LETTERS.index(label.answer))]
    return ParsedLabel(label.description, label.question, (first, second, third, fourth), answer)


def _missing(parts: Mapping[str, str]) -> Refusal | None:
    for name in ("description", "question"):
        if not parts.get(name):
            return Refusal(f"missing-{name}", parts_seen(parts))
    for letter in LETTERS:
        if not parts.get(letter):
            return Refusal("missing-option", f"{letter}; {parts_seen(parts)}")
    return None if parts.get("answer") else Refusal("missing-answer", parts_seen(parts))


def _check_texts(description: str, question: str, options: Sequence[str]) -> Refusal | None:
    limits = [(description, MAX_DESCRIPTION_CHARS), (question, MAX_QUESTION_CHARS)]
    refusal = refuse_texts([*limits, *((option, MAX_OPTION_CHARS) for option in options)])
    if refusal:
        return refusal
    keys = [exact(option) for option in options]
    repeated = [option for option, key in zip(options, keys, strict=True) if keys.count(key) > 1]
    if repeated:
        return Refusal("repeated-option", repeated[0])
    naming = [option for option in options if _NAMES_LETTERS.search(option)]
    return Refusal("option-names-letters", naming[0]) if naming else None


def _read_answer(text: str, options: Sequence[str]) -> Letter | Refusal:
    if is_template(text):
        return Refusal("template-echo", text)
    match = _ANSWER.fullmatch(text)
    if not match:
        return Refusal("answer-not-a-letter", text[:EXCERPT_CHARS])
    letter, spelt_out = LETTERS["ABCD".index(match.group(1).upper())], match.group(2)
    if spelt_out and LETTERS.index(letter) not in places_of(spelt_out, options):
        return Refusal("answer-not-a-letter", text[:EXCERPT_CHARS])
    return letter
