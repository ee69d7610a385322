"""Labels: a vision-language model describes a picture, asks a four-option question and answers it.

The model writes text in a fixed form; it is parsed strictly, and what cannot be read is asked for again and
then refused with a reason. Labellers favour the letter A, so the letter they give is only used to find the
right option's text: the options are shuffled here and the letter follows the text.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from blip_core.errors import StageFailure, TableError
from blip_core.ports import Labeller, Progress, no_progress, row_seed, rows_named
from blip_core.recipes.labels import Labels
from blip_core.records import LETTERS, Label, Letter, Picture, Rejection, sum_up
from blip_core.texts import exact, places_of

STAGE = "labels"
MAX_TEXT_CHARS = 20_000
MAX_DESCRIPTION_CHARS = 1_500
MAX_QUESTION_CHARS = 400
MAX_OPTION_CHARS = 250
ENOUGH_TO_JUDGE = 20  # rows; below, a labeller that fails may merely have had bad luck
MIN_LABELLED_SHARE = 0.05
_EXCERPT_CHARS = 300

_FIELD = re.compile(r"\s*\**(description|question|answer)\**\s*[:\uff1a]\**(.*)", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(r"\s*\**\(?([A-Da-d])\**[.):](.*)", re.DOTALL)
_ANSWER = re.compile(r"\(?([A-Da-d])[.):]*(?:\s+(.+))?", re.DOTALL)
_TEMPLATE = re.compile(r"\[[^\]]*\]|[.\u2026]+|option [a-d]|<[^>]*>", re.IGNORECASE)
_NAMES_LETTERS = re.compile(r"\b(?i:of the above)\b|\b[A-D],? (?:and|or|nor|&) [A-D]\b")


@dataclass(frozen=True, slots=True)
class ParsedLabel:
    """What a labeller's text says; options stand in letter order."""

    description: str
    question: str
    options: tuple[str, str, str, str]
    answer: Letter

    @property
    def answer_text(self) -> str:
        return self.options[LETTERS.index(self.answer)]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a labeller's text is no label: a stable slug, and what was seen."""

    reason: str
    detail: str


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
    if len(text) > MAX_TEXT_CHARS:
        return Refusal("too-long", f"{len(text)} characters")
    parts = _split(text)
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
    order = [int(index) for index in np.random.default_rng(seed).permutation(len(LETTERS))]
    first, second, third, fourth = (label.options[index] for index in order)
    answer = LETTERS[order.index(LETTERS.index(label.answer))]
    return ParsedLabel(label.description, label.question, (first, second, third, fourth), answer)


def label_pictures(
    labeller: Labeller,
    pictures: Sequence[Picture],
    settings: Labels,
    seed: int,
    on_progress: Progress = no_progress,
) -> tuple[list[Label], list[Rejection]]:
    """Have every picture labelled `settings.per_picture` times, with different questions.

    All rows are tried once, in batches of `settings.batch_size`; rows whose text cannot be read, or whose
    question the picture has already, are tried again together, each attempt under a seed of its own.

    Returns:
        Labels and rejections, each in the order of the pictures; rejections bear the last attempt's reason
        and the id that the label would have had.

    Raises:
        StageFailure: when hardly any row can be read.
        NotANumber: when the labeller's logits are no numbers; the message names the row.
        TableError: when a picture's bytes cannot be decoded.
    """
    numbers = range(settings.per_picture)
    rows = [_LabelRow(f"{picture.id}-q{number}", picture) for picture in pictures for number in numbers]
    for attempt in range(settings.retries + 1):
        waiting = [row for row in rows if row.label is None]
        for start in range(0, len(waiting), settings.batch_size):
            _attempt(labeller, waiting[start : start + settings.batch_size], settings, seed, attempt)
            if attempt == 0:
                on_progress(min(start + settings.batch_size, len(rows)), len(rows))
        _refuse_repeated_questions(rows)
        _check_labeller(rows)
    labels = [_to_label(row, row.label, seed) for row in rows if row.label is not None]
    return labels, [row.to_rejection() for row in rows if row.label is None]


@dataclass(slots=True)
class _LabelRow:
    """One label in the making."""

    id: str
    picture: Picture
    label: ParsedLabel | None = None
    attempt: int = 0
    refusal: Refusal = Refusal("", "")
    text: str = ""

    def to_rejection(self) -> Rejection:
        return Rejection(self.id, STAGE, self.refusal.reason, self.refusal.detail)


def _to_label(row: _LabelRow, parsed: ParsedLabel, seed: int) -> Label:
    shuffled = shuffle_options(parsed, row_seed(seed, "options", row.id))
    a, b, c, d = shuffled.options
    return Label(
        id=row.id,
        picture_id=row.picture.id,
        description=shuffled.description,
        question=shuffled.question,
        a=a,
        b=b,
        c=c,
        d=d,
        answer=shuffled.answer,
        attempt=row.attempt,
    )


def _attempt(
    labeller: Labeller, batch: Sequence[_LabelRow], settings: Labels, seed: int, attempt: int
) -> None:
    images = [_decode(row.picture) for row in batch]
    seeds = [row_seed(seed, STAGE, row.id, attempt) for row in batch]
    with rows_named([row.id for row in batch]):
        texts = labeller.label(images, [settings.prompt] * len(batch), seeds)
    for row, text in zip(batch, texts, strict=True):
        row.text, row.attempt = text[:_EXCERPT_CHARS], attempt
        parsed = parse_label(text)
        if isinstance(parsed, Refusal):
            row.refusal = parsed
        else:
            row.label = parsed


def _refuse_repeated_questions(rows: Iterable[_LabelRow]) -> None:
    """Take back labels whose question an earlier row of the same picture asks; older attempts come first."""
    asked: set[tuple[str, str]] = set()
    for row in sorted(rows, key=lambda row: row.attempt):
        if row.label is None:
            continue
        question = (row.picture.id, exact(row.label.question))
        if question in asked:
            row.refusal = Refusal("repeated-question", row.label.question)
            row.label = None
        asked.add(question)


def _check_labeller(rows: Sequence[_LabelRow]) -> None:
    """Stop when hardly any row can be read: further attempts would cost hours and change nothing."""
    refused = [row for row in rows if row.label is None]
    labelled = len(rows) - len(refused)
    if len(rows) < ENOUGH_TO_JUDGE or labelled >= MIN_LABELLED_SHARE * len(rows):
        return
    raise StageFailure(
        f"The labeller gave a usable label for {labelled} of {len(rows)} rows: "
        f"{sum_up(row.to_rejection() for row in refused)}. "
        f"For {refused[0].id} it wrote {refused[0].text!r}. "
        "Its text must keep to the form that labels.prompt asks for: "
        "take another labels.model, or another prompt."
    )


def _decode(picture: Picture) -> Image.Image:
    try:
        return Image.open(io.BytesIO(picture.png), formats=("PNG",)).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        message = f"Picture {picture.id} cannot be decoded: {error}. Paint it again, or hand in a whole file."
        raise TableError(message) from error


def _split(text: str) -> dict[str, str] | Refusal:
    """Split a text into its named parts; options are named by their letters."""
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


def _missing(parts: dict[str, str]) -> Refusal | None:
    for name in ("description", "question"):
        if not parts.get(name):
            return Refusal(f"missing-{name}", _seen(parts))
    for letter in LETTERS:
        if not parts.get(letter):
            return Refusal("missing-option", f"{letter}; {_seen(parts)}")
    return None if parts.get("answer") else Refusal("missing-answer", _seen(parts))


def _seen(parts: dict[str, str]) -> str:
    return "read: " + (", ".join(name for name, text in parts.items() if text) or "nothing")


def _check_texts(description: str, question: str, options: Sequence[str]) -> Refusal | None:
    for text in (description, question, *options):
        if _TEMPLATE.fullmatch(text):
            return Refusal("template-echo", text)
    limits = [(description, MAX_DESCRIPTION_CHARS), (question, MAX_QUESTION_CHARS)]
    for text, limit in limits + [(option, MAX_OPTION_CHARS) for option in options]:
        if len(text) > limit:
            seen = f"{len(text)} characters where {limit} are allowed: {text[:_EXCERPT_CHARS]}"
            return Refusal("too-long", seen)
    keys = [exact(option) for option in options]
    repeated = [option for option, key in zip(options, keys, strict=True) if keys.count(key) > 1]
    if repeated:
        return Refusal("repeated-option", repeated[0])
    naming = [option for option in options if _NAMES_LETTERS.search(option)]
    return Refusal("option-names-letters", naming[0]) if naming else None


def _read_answer(text: str, options: Sequence[str]) -> Letter | Refusal:
    if _TEMPLATE.fullmatch(text):
        return Refusal("template-echo", text)
    match = _ANSWER.fullmatch(text)
    if not match:
        return Refusal("answer-not-a-letter", text[:_EXCERPT_CHARS])
    letter, spelt_out = LETTERS["ABCD".index(match.group(1).upper())], match.group(2)
    if spelt_out and LETTERS.index(letter) not in places_of(spelt_out, options):
        return Refusal("answer-not-a-letter", text[:_EXCERPT_CHARS])
    return letter


def _clean(text: str) -> str:
    """Strip enclosing bold marks, control characters and surplus space."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split()).strip("* ")
