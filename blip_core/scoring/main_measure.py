"""By which measure variants are ranked, for each kind of row, and how its values are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blip_core.kinds import kind_of
from blip_core.scoring.measures import Measure, measure_named

_LETTER_RIGHT = "letter-right"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The measure of a ladder, as `scores.json` keeps it.

    Attributes:
        name: of the measure.
        words: what it says.
        span: largest value less smallest; None without bounds.
    """

    name: str = _LETTER_RIGHT
    words: str = "share of right letters, ranked"
    span: float | None = 1.0

    @property
    def heading(self) -> str:
        """What stands above its values."""
        return "accuracy" if self.name == _LETTER_RIGHT else self.words

    @property
    def metric(self) -> str:
        """What MLflow calls it."""
        return "accuracy" if self.name == _LETTER_RIGHT else self.name

    @property
    def is_share(self) -> bool:
        """Whether its values are shares, written as per cent."""
        return self.span == 1.0


BY_LETTER = Ranking()
"""What ranks variants whose questions have options."""


def main_measure(task: str) -> Measure:
    """The measure of the ladder, of champions and of the first metric of a run."""
    return measure_named(kind_of(task).main_measure)


def ranking(task: str) -> Ranking:
    """The main measure of a kind, as scores keep it."""
    main = main_measure(task)
    return Ranking(main.name, main.words, main.span)


def ranking_of(scores: Mapping[str, Any]) -> Ranking:
    """By what the variants of a `scores.json` are ranked; those without a word of it, by letters."""
    told = [scores, *scores.get("variants", {}).values()]
    return next((Ranking(**one["measure"]) for one in told if "measure" in one), BY_LETTER)


def main_score(variant: Mapping[str, Any]) -> Mapping[str, Any]:
    """Value, interval and number of rows of a variant's main measure, of its part of a `scores.json`."""
    found: Mapping[str, Any] = variant["accuracy"] if "accuracy" in variant else variant["main"]
    return found
