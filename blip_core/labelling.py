"""Labels: a vision-language model describes a picture, and asks and answers what the kind of task needs.

The model writes text in a fixed form; its kind parses it strictly, and what cannot be read is asked for again
and then refused with a reason. Labellers favour the letter A, so the letter they give is only used to find
the right option's text: the options are shuffled, and the letter follows the text.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from blip_core.errors import StageFailure, TableError
from blip_core.kinds import Kind
from blip_core.kinds.label_text import EXCERPT_CHARS, ParsedLabel, Refusal, places_of_label
from blip_core.kinds.mcq import KIND as FOUR_OPTIONS
from blip_core.ports import (
    Confident,
    Labeller,
    Progress,
    Written,
    no_progress,
    row_seed,
    rows_named,
)
from blip_core.recipes.labels import Labels
from blip_core.records import (
    ANSWER_SCORE,
    DESCRIPTION_SCORE,
    LABEL_SCORE,
    Label,
    Picture,
    Rejection,
    sum_up,
)
from blip_core.texts import exact

STAGE = "labels"
ENOUGH_TO_JUDGE = 20  # rows; below, a labeller that fails may merely have had bad luck
MIN_LABELLED_SHARE = 0.05
SCORES = {
    DESCRIPTION_SCORE: ("description",),
    ANSWER_SCORE: ("answer",),
    LABEL_SCORE: ("description", "answer"),
}
"""The parts of a label whose tokens each score is a mean over."""
_NO_OPTIONS = ("", "", "", "")
_NOT_REFUSED = Refusal("", "")


def label_pictures(
    labeller: Labeller,
    pictures: Sequence[Picture],
    settings: Labels,
    seed: int,
    on_progress: Progress = no_progress,
    kind: Kind = FOUR_OPTIONS,
) -> tuple[list[Label], list[Rejection]]:
    """Have every picture labelled `settings.per_picture` times, each time with something else.

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
            _attempt(labeller, waiting[start : start + settings.batch_size], settings, kind, seed, attempt)
            if attempt == 0:
                on_progress(min(start + settings.batch_size, len(rows)), len(rows))
        _refuse_repeated_questions(rows)
        _check_labeller(rows)
    labels = [_to_label(row, row.label, kind, seed) for row in rows if row.label is not None]
    return labels, [row.to_rejection() for row in rows if row.label is None]


@dataclass(slots=True)
class _LabelRow:
    """One label in the making."""

    id: str
    picture: Picture
    label: ParsedLabel | None = None
    attempt: int = 0
    refusal: Refusal = _NOT_REFUSED
    text: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)

    def to_rejection(self) -> Rejection:
        return Rejection(self.id, STAGE, self.refusal.reason, self.refusal.detail)


def _to_label(row: _LabelRow, parsed: ParsedLabel, kind: Kind, seed: int) -> Label:
    shuffled = kind.shuffled(parsed, row_seed(seed, "options", row.id))
    a, b, c, d = shuffled.options or _NO_OPTIONS
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
        scores=row.scores,
    )


def _attempt(
    labeller: Labeller, batch: Sequence[_LabelRow], settings: Labels, kind: Kind, seed: int, attempt: int
) -> None:
    images = [_decode(row.picture) for row in batch]
    seeds = [row_seed(seed, STAGE, row.id, attempt) for row in batch]
    with rows_named([row.id for row in batch]):
        texts = _written(labeller, images, [settings.prompt] * len(batch), seeds)
    for row, written in zip(batch, texts, strict=True):
        row.text, row.attempt = written.text[:EXCERPT_CHARS], attempt
        parsed = kind.parse_label(written.text)
        if isinstance(parsed, Refusal):
            row.refusal = parsed
        else:
            row.label, row.scores = parsed, confidence_in(written, parsed)


def _written(
    labeller: Labeller, images: Sequence[Image.Image], prompts: Sequence[str], seeds: Sequence[int]
) -> list[Written]:
    if isinstance(labeller, Confident):
        return labeller.label_with_confidence(images, prompts, seeds)
    return [Written(text) for text in labeller.label(images, prompts, seeds)]


def confidence_in(written: Written, label: ParsedLabel) -> dict[str, float]:
    """Mean log-probability a token of a label's description, of its right answer's words, and of both.

    They are those of the tokens that were drawn: the same text cut into other tokens has other ones. What
    cannot be told is left out.
    """
    places = places_of_label(written.text, label)
    told = {
        score: written.confidence(*(places[part] for part in parts))
        for score, parts in SCORES.items()
        if places.keys() >= set(parts)
    }
    return {score: value for score, value in told.items() if value is not None}


def _refuse_repeated_questions(rows: Iterable[_LabelRow]) -> None:
    """Take back labels whose question an earlier row of the same picture asks; older attempts come first."""
    asked: set[tuple[str, str]] = set()
    for row in sorted(rows, key=lambda row: row.attempt):
        if row.label is None:
            continue
        said, reason = _apart(row.label)
        question = (row.picture.id, exact(said))
        if question in asked:
            row.refusal = Refusal(reason, said)
            row.label = None
        asked.add(question)


def _apart(label: ParsedLabel) -> tuple[str, str]:
    """What tells a label from others of its picture, and the reason where it does not."""
    if label.question:
        return label.question, "repeated-question"
    return label.description, "repeated-description"


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
