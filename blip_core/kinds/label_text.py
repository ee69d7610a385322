"""What labellers write: a text of named parts, each at the start of a line."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_TEXT_CHARS = 20_000
MAX_DESCRIPTION_CHARS = 1_500
MAX_QUESTION_CHARS = 400
MAX_OPTION_CHARS = 250
EXCERPT_CHARS = 300

_FIELD = re.compile(r"\s*\**(description|question|answer)\**\s*[:\uff1a]\**(.*)", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(r"\s*\**\(?([A-Da-d])\**[.):](.*)", re.DOTALL)
_LETTER = re.compile(r"\(?([A-Da-d])\**(?:[.):]|$)")  # "B", "(b)", "B. a bus", and not "A bus"
_TEMPLATE = re.compile(r"\[[^\]]*\]|[.\u2026]+|option [a-d]|<[^>]*>", re.IGNORECASE)


Place = tuple[int, int]
"""Begin and end of something in a text, in characters."""


@dataclass(frozen=True, slots=True)
class ParsedLabel:
    """What a labeller's text says: options in letter order and a letter, or no options and a text."""

    description: str
    question: str = ""
    options: tuple[str, ...] = ()
    answer: str = ""

    @property
    def answer_text(self) -> str:
        """What is right, in words."""
        return self.options["ABCD".index(self.answer)] if self.options else self.answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a labeller's text is no label: a stable slug, and what was seen."""

    reason: str
    detail: str


def split_parts(text: str) -> dict[str, str] | Refusal:
    """Split a text into its named parts; options are named by their letters. Takes linear time."""
    found = _lines_of_parts(text)
    if isinstance(found, Refusal):
        return found
    return {name: _said(text, lines) for name, lines in found.items()}


def places_of_label(text: str, label: ParsedLabel) -> dict[str, Place]:
    """Where a label stands in the text that it was read from: its `description` and its right `answer`.

    The answer is that of its words: with options, the right one's. What is not there under its name, or says
    something else, is left out; a text that names no part is its description.
    """
    found = _lines_of_parts(text)
    if isinstance(found, Refusal):
        return {}
    if not found:
        found = {"description": [(0, len(text))]}
    answers = [label.answer] if label.options else ["answer", *"ABCD"]
    wanted = {"description": (["description"], label.description), "answer": (answers, label.answer_text)}
    return {
        part: (found[name][0][0], found[name][-1][1])
        for part, (names, said) in wanted.items()
        for name in names[::-1]
        if said and found.get(name) and _said(text, found[name]) == said
    }


def _lines_of_parts(text: str) -> dict[str, list[Place]] | Refusal:
    """Where the lines of each named part stand in a text, without the name."""
    if len(text) > MAX_TEXT_CHARS:
        return Refusal("too-long", f"{len(text)} characters")
    found: dict[str, list[Place]] = {}
    current, below = "", 0
    for line, whole in zip(text.splitlines(), text.splitlines(keepends=True), strict=True):
        start, below = below, below + len(whole)
        if not line.strip():
            continue
        if found.get("answer"):
            break
        name, rest = _part_start(line, found)
        if name in found:
            return Refusal("repeated-part", f"{name} comes twice")
        if name:
            current = name
            found[name] = []
        if current and rest.strip():
            end = start + len(line)
            found[current].append((end - len(rest), end))
    return found


def _said(text: str, lines: Iterable[Place]) -> str:
    return _clean(" ".join(text[start:end] for start, end in lines))


def _part_start(line: str, found: Mapping[str, object]) -> tuple[str, str]:
    """Name the part that a line starts, and what else it says; no name when it goes on with another."""
    field = _FIELD.fullmatch(line)
    if field:
        return field.group(1).lower(), field.group(2)
    option = _OPTION.fullmatch(line) if "question" in found and "answer" not in found else None
    return (option.group(1).upper(), option.group(2)) if option else ("", line)


def parts_seen(parts: Mapping[str, str]) -> str:
    """Names of the parts that say something, for a refusal."""
    return "read: " + (", ".join(name for name, text in parts.items() if text) or "nothing")


def is_template(text: str) -> bool:
    """Whether a text repeats the form that was asked for, in place of filling it in."""
    return _TEMPLATE.fullmatch(text) is not None


def refuse_texts(texts: Iterable[tuple[str, int]]) -> Refusal | None:
    """Why texts are none that a label may hold, each with the most characters that it may have."""
    limited = list(texts)
    for text, _ in limited:
        if is_template(text):
            return Refusal("template-echo", text)
    for text, limit in limited:
        if len(text) > limit:
            seen = f"{len(text)} characters where {limit} are allowed: {text[:EXCERPT_CHARS]}"
            return Refusal("too-long", seen)
    return None


def _clean(text: str) -> str:
    """Strip enclosing bold marks, control characters and surplus space."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split()).strip("* ")


def parse_free_answer(text: str) -> ParsedLabel | Refusal:
    """Read a question and its answer in words; see `Kind.parse_label`."""
    parts = split_parts(text)
    if isinstance(parts, Refusal):
        return parts
    for name in ("question", "answer"):
        if not parts.get(name):
            return Refusal(f"missing-{name}", parts_seen(parts))
    description, question, answer = parts.get("description", ""), parts["question"], _in_words(parts)
    limits = (MAX_DESCRIPTION_CHARS, MAX_QUESTION_CHARS, MAX_DESCRIPTION_CHARS)
    refusal = refuse_texts(zip((description, question, answer), limits, strict=True))
    return refusal or ParsedLabel(description, question, answer=answer)


def _in_words(parts: Mapping[str, str]) -> str:
    """The answer; where it begins with the letter of an option that is listed, that option's text."""
    letter = _LETTER.match(parts["answer"])
    return parts.get(letter.group(1).upper(), "") or parts["answer"] if letter else parts["answer"]


def parse_caption(text: str) -> ParsedLabel | Refusal:
    """Read a description: what follows its name, or the whole text where no part is named."""
    parts = split_parts(text)
    if isinstance(parts, Refusal):
        return parts
    caption = parts.get("description", "") if parts else _clean(" ".join(text.split()))
    if not caption:
        return Refusal("missing-description", parts_seen(parts))
    return refuse_texts([(caption, MAX_DESCRIPTION_CHARS)]) or ParsedLabel(caption)
