"""Labellers side by side: what each made of the pictures it was shown, and how far two of them agree.

Questions of two labellers differ, so that answers cannot be held against each other question by question.
What can: descriptions of the same picture (ROUGE-L), and whether the same thing is an answer about it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from blip_core.records import LETTERS, Label
from blip_core.scoring.rouge import rouge
from blip_core.texts import loose

_JUDGE = "second_judge"


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a labeller made.

    Attributes:
        name: of the phase.
        model: that labelled.
        pictures: key of what was labelled.
        asked: labels that were asked for.
        labels: those that could be read.
        gates: rows that each gate of its dataset saw and refused.
    """

    name: str
    model: str
    pictures: str
    asked: int
    labels: Sequence[Label]
    gates: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LabellerFigures:
    """Figures of one labeller; shares are 0 to 1.

    Attributes:
        name: of the phase.
        model: that labelled.
        asked: labels that were asked for.
        parsed: those that could be read.
        parse_rate: their share.
        refused: share of those that gates refused.
        commonest_letter: share of the letter that is right most often; None without options.
        disputed: share that a second model answers in another way; None where none was asked.
        words: of a description, on average.
    """

    name: str
    model: str
    asked: int
    parsed: int
    parse_rate: float
    refused: float
    commonest_letter: float | None
    disputed: float | None
    words: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two labellers agree on the pictures that both labelled.

    Attributes:
        a: one phase.
        b: the other.
        pictures: that both labelled.
        descriptions: ROUGE-L of their descriptions, 0 to 1, on average over pictures.
        answers: share of pictures about which some answer is the same.
    """

    a: str
    b: str
    pictures: int
    descriptions: float
    answers: float


def figures_of(made: Labelled) -> LabellerFigures:
    """Count what a labeller made."""
    parsed = len(made.labels)
    refused = sum(refused for _, refused in made.gates.values())
    letters = Counter(label.answer for label in made.labels if any(label.options))
    seen, disputed = made.gates.get(_JUDGE, (0, 0))
    return LabellerFigures(
        made.name,
        made.model,
        made.asked,
        parsed,
        _share(parsed, made.asked),
        _share(refused, parsed),
        max(letters.values()) / letters.total() if letters else None,
        disputed / seen if seen else None,
        _share(sum(len(label.description.split()) for label in made.labels), parsed),
    )


def agreements(all_made: Sequence[Labelled]) -> list[Agreement]:
    """Hold every two labellers against each other that labelled the same pictures."""
    pairs = [pair for pair in combinations(all_made, 2) if pair[0].pictures == pair[1].pictures]
    return [found for a, b in pairs if (found := _agreement(a, b)).pictures]


def _agreement(a: Labelled, b: Labelled) -> Agreement:
    said = [_by_picture(one.labels) for one in (a, b)]
    common = [picture for picture in said[0] if picture in said[1]]
    alike = [rouge(said[0][one][0].description, [said[1][one][0].description]).rouge_l for one in common]
    answered = [{loose(_answer(label)) for label in by[one]} - {""} for one in common for by in said]
    same = sum(bool(first & second) for first, second in zip(answered[::2], answered[1::2], strict=True))
    return Agreement(a.name, b.name, len(common), _share(sum(alike), len(common)), _share(same, len(common)))


def _by_picture(labels: Sequence[Label]) -> dict[str, list[Label]]:
    by_picture: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_picture[label.picture_id].append(label)
    return by_picture


def _answer(label: Label) -> str:
    return label.options[LETTERS.index(label.answer)] if any(label.options) else label.answer


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0
