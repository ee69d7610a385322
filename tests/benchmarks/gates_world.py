"""Labels of the pocket world whose truth is known, and faults that are planted among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from PIL import Image

from blip_core.kinds import kind_of
from blip_core.kinds.label_text import ParsedLabel, Place, Refusal, places_of_label
from blip_core.labelling import STAGE, confidence_in, label_pictures
from blip_core.painting import encode_png
from blip_core.pocket.language import answer_by_scene, read_scene
from blip_core.pocket.world import CATEGORIES, PocketScene, Style, draw_scene, render
from blip_core.ports import Confident, Written, row_seed
from blip_core.recipes import Recipe
from blip_core.records import LETTERS, Example, Picture
from tasks.build_dataset import to_examples
from tests.benchmarks.gates_rescoring import Rescorer, pieces

WRONG_ANSWER, SWAPPED_LABEL, SWAPPED_DESCRIPTION = "wrong answer", "swapped label", "swapped description"
FAULTS = (WRONG_ANSWER, SWAPPED_LABEL, SWAPPED_DESCRIPTION)


@dataclass(frozen=True)
class Known:
    """A row and what is true of it.

    Attributes:
        row: as the gates see it.
        scene: what its picture shows.
        picture: the picture.
        written: the text that its label was read from, with its tokens.
        fault: that was planted; empty for none.
    """

    row: Example
    scene: PocketScene
    picture: Image.Image
    written: Written
    fault: str = ""

    @property
    def has_wrong_answer(self) -> bool:
        options = self.row.options[: self.row.offered]
        return answer_by_scene(self.scene, self.row.question, options) != self.row.target

    @property
    def is_bad(self) -> bool:
        return self.has_wrong_answer or read_scene(self.row.description) != self.scene


class _Recorder:
    """A labeller whose texts are kept with their tokens, by seed."""

    def __init__(self, labeller: Confident) -> None:
        self._labeller = labeller
        self.written: dict[int, Written] = {}

    def label_with_confidence(
        self, pictures: Sequence[Image.Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[Written]:
        found = self._labeller.label_with_confidence(pictures, prompts, seeds)
        self.written.update(zip(seeds, found, strict=True))
        return found

    def label(
        self, pictures: Sequence[Image.Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[str]:
        return [one.text for one in self.label_with_confidence(pictures, prompts, seeds)]

    def close(self) -> None:
        """Whoever loaded the labeller closes it."""


def composed(count: int, seed: int) -> tuple[list[Picture], dict[str, PocketScene]]:
    """So many shifted pictures, of all categories in turn, and what each shows."""
    pictures: list[Picture] = []
    scenes: dict[str, PocketScene] = {}
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        category = CATEGORIES[number % len(CATEGORIES)]
        scene = draw_scene(rng, Style.SHIFTED, category=category)
        png = encode_png(Image.fromarray(render(scene, Style.SHIFTED, rng).pixels))
        name = f"{category}-{number:05d}"
        pictures.append(Picture(f"{name}-p0", name, category, "", seed, png, "", 64, 64))
        scenes[f"{name}-p0"] = scene
    return pictures, scenes


def labelled(
    recipe: Recipe, labeller: Confident, pictures: Sequence[Picture], scenes: Mapping[str, PocketScene]
) -> list[Known]:
    """Rows as the pocket labeller writes them, in the way that a run does."""
    recorder = _Recorder(labeller)
    labels, _ = label_pictures(recorder, pictures, recipe.labels, recipe.seed)
    shown = {picture.id: decoded(picture) for picture in pictures}
    attempts = {label.id: label.attempt for label in labels}
    return [
        Known(
            row,
            scenes[row.picture_id],
            shown[row.picture_id],
            recorder.written[row_seed(recipe.seed, STAGE, row.id, attempts[row.id])],
        )
        for row in to_examples(recipe.task, pictures, labels)
    ]


def with_faults(rows: Sequence[Known], each: int, rescorer: Rescorer, seed: int) -> list[Known]:
    """The same rows, in so many of which each fault is planted.

    What the labeller did not write of this picture is scored anew under it, token by token as it was drawn.
    """
    rng = np.random.default_rng(seed)
    order = [int(place) for place in rng.permutation(len(rows))[: len(FAULTS) * each]]
    planted = {place: FAULTS[number % len(FAULTS)] for number, place in enumerate(order)}
    changed = list(rows)
    swapped: dict[int, Known] = {}
    for place, fault in planted.items():
        if fault == WRONG_ANSWER:
            swapped[place] = _answered_wrongly(rows[place], rng)
        else:
            swapped[place] = _swapped(rows[place], _donor(rows, place, rng), fault)
    scored = rescorer.scored(
        [one.picture for one in swapped.values()], [one.written for one in swapped.values()]
    )
    for (place, known), written in zip(swapped.items(), scored, strict=True):
        changed[place] = replace(known, written=written, row=_scored(known.row, written))
    return changed


def _answered_wrongly(known: Known, rng: np.random.Generator) -> Known:
    """As if the labeller had called another option right: the two have changed places in its text."""
    others = [letter for letter in LETTERS if letter != known.row.answer]
    letter = others[int(rng.integers(len(others)))]
    wrong = known.row.options[LETTERS.index(letter)]
    row = replace(known.row, answer=letter, target=wrong)
    right_at, wrong_at = (_place_of(known, text) for text in (known.row.target, wrong))
    return replace(known, row=row, written=exchanged(known.written, right_at, wrong_at), fault=WRONG_ANSWER)


def _place_of(known: Known, option: str) -> Place:
    """Where an option stands in the text that offers it."""
    row = replace(known.row, target=option)
    return places_of_label(known.written.text, _read(row, known.written))["answer"]


def exchanged(written: Written, one: Place, other: Place) -> Written:
    """A text in which the tokens of two places have changed places; they are scored anew."""
    first, second = sorted(
        (_tokens_of(written, one), _tokens_of(written, other)), key=lambda span: span.start
    )
    cut = pieces(written)
    parts = [
        *cut[: first.start],
        *cut[second.start : second.stop],
        *cut[first.stop : second.start],
        *cut[first.start : first.stop],
        *cut[second.stop :],
    ]
    starts = [0, *accumulate(map(len, parts))][: len(parts)]
    return Written("".join(parts), tuple(starts), (0.0,) * len(parts))


def _tokens_of(written: Written, place: Place) -> range:
    start, stop = place
    ends = [*written.starts[1:], len(written.text)]
    within = [
        at
        for at, (begin, end) in enumerate(zip(written.starts, ends, strict=True))
        if begin < stop and end > start
    ]
    return range(within[0], within[-1] + 1)


def _donor(rows: Sequence[Known], place: int, rng: np.random.Generator) -> Known:
    """A row about another scene."""
    while True:
        donor = rows[int(rng.integers(len(rows)))]
        if donor.scene != rows[place].scene:
            return donor


def _swapped(known: Known, donor: Known, fault: str) -> Known:
    texts = {"description": donor.row.description}
    written = donor.written
    if fault == SWAPPED_LABEL:
        names = ("question", "a", "b", "c", "d", "answer", "target")
        texts |= {name: getattr(donor.row, name) for name in names}
    else:
        written = described_as(known.written, donor.written)
    return replace(known, row=replace(known.row, **texts), written=written, fault=fault)


def described_as(own: Written, other: Written) -> Written:
    """A label with the description of another one; both are cut where a token begins."""
    end, cut = _end_of_description(own), _end_of_description(other)
    head = [at for at in other.starts if at < cut]
    tail = [at for at in own.starts if at >= end]
    starts = (*head, *(at - end + cut for at in tail))
    return Written(other.text[:cut] + own.text[end:], starts, (0.0,) * len(starts))


def _end_of_description(written: Written) -> int:
    return written.text.index("\n\nQuestion:")


def _scored(row: Example, written: Written) -> Example:
    """A row with the confidence of its label in a text, by where the right option stands there."""
    return replace(row, scores=confidence_in(written, _read(row, written)))


def _read(row: Example, written: Written) -> ParsedLabel:
    parsed = kind_of("mcq").parse_label(written.text)
    if isinstance(parsed, Refusal):
        raise ValueError(f"{row.id}: {parsed}")
    return replace(parsed, answer=LETTERS[parsed.options.index(row.target)])


def stuck(rows: Sequence[Example], count: int, text: str, seed: int) -> list[Example]:
    """Rows in so many of which a labeller is stuck on one text: it is offered, and right."""
    rng = np.random.default_rng(seed)
    chosen = set(rng.permutation(len(rows))[:count].tolist())
    return [_stuck(row, text) if place in chosen else row for place, row in enumerate(rows)]


def _stuck(row: Example, text: str) -> Example:
    options = [
        text if letter == row.answer else option for letter, option in zip(LETTERS, row.options, strict=True)
    ]
    return replace(row, target=text).with_options(options)


def decoded(picture: Picture) -> Image.Image:
    import io

    return Image.open(io.BytesIO(picture.png)).convert("RGB")
