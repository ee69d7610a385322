"""Texts that a model wrote, against right ones: BLEU and ROUGE, over all and row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from blip_core.errors import EmptyDataset
from blip_core.finite import check_finite
from blip_core.scoring.bleu import Bleu, corpus_bleu, sentence_bleu
from blip_core.scoring.rouge import rouge

METRICS = ("bleu", "rouge_1", "rouge_2", "rouge_l")


@dataclass(frozen=True, slots=True)
class Caption:
    """A text that a model wrote, and one or more right ones."""

    id: str
    text: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptionScore:
    """Scores of one text: BLEU from 0 to 100, F-measures of ROUGE from 0 to 1."""

    id: str
    bleu: float
    rouge_1: float
    rouge_2: float
    rouge_l: float

    def __post_init__(self) -> None:
        check_finite(f"the text of row {self.id}", {name: getattr(self, name) for name in METRICS})


@dataclass(frozen=True, slots=True)
class Cases:
    """Best, mean and worst row by one metric; of equals the first."""

    best_id: str
    best: float
    mean: float
    worst_id: str
    worst: float


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """Scores of all texts.

    Attributes:
        n: texts.
        bleu: over the corpus; no mean of the rows' own.
        cases: best, mean and worst row by metric.
        rows: scores of each text, in order.
    """

    n: int
    bleu: Bleu
    cases: dict[str, Cases]
    rows: tuple[CaptionScore, ...]


def caption_scores(captions: Sequence[Caption]) -> CaptionScores:
    """Score texts against their references.

    Raises:
        EmptyDataset: when there are no texts.
        ValueError: when a text has no reference.
    """
    if not captions:
        raise EmptyDataset("There are no texts to score.")
    rows = tuple(_score(caption) for caption in captions)
    corpus = corpus_bleu([one.text for one in captions], [one.references for one in captions])
    return CaptionScores(len(rows), corpus, {name: _cases(name, rows) for name in METRICS}, rows)


def _score(caption: Caption) -> CaptionScore:
    words = rouge(caption.text, caption.references)
    return CaptionScore(caption.id, sentence_bleu(caption.text, caption.references), *words)


def _cases(metric: str, rows: Sequence[CaptionScore]) -> Cases:
    values = [(float(getattr(row, metric)), row.id) for row in rows]
    best = max(values, key=lambda pair: pair[0])
    worst = min(values, key=lambda pair: pair[0])
    return Cases(best[1], best[0], fmean(value for value, _ in values), worst[1], worst[0])
