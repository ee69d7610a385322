"""The variants of a run side by side, and what the comparison says in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blip_core.figures import Score
from blip_core.reporting.words import share_words
from blip_core.scoring import (
    BY_LETTER,
    Accuracy,
    Comparison,
    FreeGeneration,
    Guessing,
    Ranking,
    main_score,
    ranking_of,
    verdict,
)

POCKET_NOTE = (
    "These are pocket models in a small composed world: the scores say whether the pipeline works, "
    "and nothing about real photographs."
)


FEW = 30
"""Rows below which hardly anything is told: the 95 % interval of a half (Wilson) is wider than 33 points."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One variant: what it reached by the measure of the ladder; what it was not asked for is None.

    Attributes:
        name: of the variant.
        accuracy: of ranked letters; of texts, the mean of the measure that ranks them.
        free: what it wrote freely.
        circular: share that is right in every rotation of the options.
        calibration_error: expected calibration error, 0 to 1; None in scores of earlier versions.
        measures: mean of every measure of texts by name.
    """

    name: str
    accuracy: Accuracy
    free: FreeGeneration | None = None
    circular: Accuracy | None = None
    calibration_error: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Variants in the order they were named, weakest first as a rule, and their paired comparisons.

    Attributes:
        rungs: the variants.
        comparisons: between them.
        chance: accuracy of guessing; None where texts are written, which nobody guesses.
        ranking: the measure that accuracies and differences are of.
    """

    rungs: Sequence[Rung]
    comparisons: Sequence[Comparison]
    chance: float | None = Guessing().accuracy
    ranking: Ranking = BY_LETTER

    def value_words(self, value: float) -> str:
        """A value of the measure: a share as per cent, others a hundredfold, as CIDEr is printed."""
        return share_words(value) if self.ranking.is_share else f"{100 * value:.1f}"

    @property
    def top(self) -> float:
        """The largest value that a bar has to have room for."""
        if self.ranking.is_share:
            return 1.0
        return max((rung.accuracy.high for rung in self.rungs), default=0.0) or 1.0  # where all got nothing

    def comparison_for(self, name: str) -> Comparison | None:
        """The comparison of a variant with the one before it, or else with any other."""
        names = [rung.name for rung in self.rungs]
        place = names.index(name)
        mine = [comparison for comparison in self.comparisons if comparison.b == name]
        nearest = [comparison for comparison in mine if place and comparison.a == names[place - 1]]
        return next(iter(nearest or mine), None)

    @property
    def axis(self) -> str:
        """What the values of its figure are."""
        if self.ranking == BY_LETTER:
            return "right answers (%), letters ranked"
        return f"{self.ranking.words} (%)" if self.ranking.is_share else self.ranking.words

    @property
    def unit(self) -> str:
        """What stands behind each value of its figure."""
        return " %" if self.ranking.is_share else ""

    @property
    def differs_in(self) -> str:
        """What differences are of."""
        return f"{'right answers' if self.ranking == BY_LETTER else self.ranking.words} (points)"

    @property
    def verdict(self) -> str:
        """One sentence on the last variant, or that too few rows were judged; empty where neither is due."""
        comparison = self.comparison_for(self.rungs[-1].name) if self.rungs else None
        fewest = min((rung.accuracy.n for rung in self.rungs), default=FEW)
        if fewest < FEW and not (comparison and comparison.is_significant):
            return _too_few(fewest)
        return verdict(comparison) if comparison else ""

    @property
    def scores(self) -> list[Score]:
        """The bars of the ladder figure."""
        return [
            Score(rung.name, rung.accuracy.value, rung.accuracy.low, rung.accuracy.high, rung.accuracy.n)
            for rung in self.rungs
        ]


def _too_few(count: int) -> str:
    rows = "1 row was" if count == 1 else f"{count} rows were"
    return (
        f"Only {rows} judged, too few to tell anything apart: the run works, its scores say nothing yet. "
        "Make more rows, or judge on a set of your own or the bundled one (evaluation.kind)."
    )


def from_scores(scores: Mapping[str, Any]) -> Ladder:
    """Build the ladder from JSON values.

    Args:
        scores: `variants` (name -> `accuracy` or `main` and, where there are any, `free_generation`,
            `circular` and `calibration`) and `comparisons`, each with the fields of its class in
            `blip_core.scoring`; `measure`, where that is no accuracy.
    """
    rungs = [_rung(name, values) for name, values in scores["variants"].items()]
    comparisons = [Comparison(**values) for values in scores["comparisons"]]
    ranking = ranking_of(scores)
    is_guessed = ranking == BY_LETTER
    chance = Guessing(**scores.get("guessing", {})).accuracy if is_guessed else None
    return Ladder(rungs, comparisons, chance, ranking)


def _rung(name: str, values: Mapping[str, Any]) -> Rung:
    free, circular, calibration = (
        values.get(part) for part in ("free_generation", "circular", "calibration")
    )
    return Rung(
        name,
        Accuracy(**main_score(values)),
        FreeGeneration(**free) if free else None,
        Accuracy(**circular) if circular else None,
        calibration["ece"] if calibration else None,
        values.get("measures", {}),
    )
