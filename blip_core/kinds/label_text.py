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
    if len(text) > MAX_TEXT_CHARS:
        return Refusal("too-long", f"{len(text)} characters")
    found: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        if found.get("answer"):
            break
        name, rest = _part_start(line, found)
        if name in found:
            return Refusal("repeated-part", f"{name} comes twice")
        if name:
            current = name
            found[name] = []
        if current and rest.strip():
            found[current].append(rest)
    return {name: _clean(" ".join(lines)) for name, lines in found.items()}


def _part_start(line: str, found: dict[str, list[str]]) -> tuple[str, str]:
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
