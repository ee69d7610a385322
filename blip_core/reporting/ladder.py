"""The variants of a run side by side, and what the comparison says in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blip_core.figures import Score
from blip_core.scoring import Accuracy, Comparison, FreeGeneration, Guessing, verdict

POCKET_NOTE = (
    "These are pocket models in a small composed world: the scores say whether the pipeline works, "
    "and nothing about real photographs."
)


@dataclass(frozen=True, slots=True)
class Rung:
    """One variant: its accuracy with letters ranked; what it was not asked for is None.

    Attributes:
        name: of the variant.
        accuracy: of ranked letters.
        free: what it wrote freely.
        circular: share that is right in every rotation of the options.
        calibration_error: expected calibration error, 0 to 1; None in scores of earlier versions.
    """

    name: str
    accuracy: Accuracy
    free: FreeGeneration | None = None
    circular: Accuracy | None = None
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """Variants in the order they were named, weakest first as a rule, and their paired comparisons.

    Attributes:
        rungs: the variants.
        comparisons: between them.
        chance: accuracy of guessing.
    """

    rungs: Sequence[Rung]
    comparisons: Sequence[Comparison]
    chance: float = Guessing().accuracy

    def comparison_for(self, name: str) -> Comparison | None:
        """The comparison of a variant with the one before it, or else with any other."""
        names = [rung.name for rung in self.rungs]
        place = names.index(name)
        mine = [comparison for comparison in self.comparisons if comparison.b == name]
        nearest = [comparison for comparison in mine if place and comparison.a == names[place - 1]]
        return next(iter(nearest or mine), None)

    @property
    def verdict(self) -> str:
        """One sentence on the last variant; empty where nothing was compared."""
        comparison = self.comparison_for(self.rungs[-1].name) if self.rungs else None
        return verdict(comparison) if comparison else ""

    @property
    def scores(self) -> list[Score]:
        """The bars of the ladder figure."""
        return [
            Score(rung.name, rung.accuracy.value, rung.accuracy.low, rung.accuracy.high, rung.accuracy.n)
            for rung in self.rungs
        ]


def from_scores(scores: Mapping[str, Any]) -> Ladder:
    """Build the ladder from JSON values.

    Args:
        scores: `variants` (name -> `accuracy` and, where there are any, `free_generation`, `circular` and
            `calibration`) and `comparisons`, each with the fields of its class in `blip_core.scoring`.
    """
    rungs = [_rung(name, values) for name, values in scores["variants"].items()]
    comparisons = [Comparison(**values) for values in scores["comparisons"]]
    return Ladder(rungs, comparisons, Guessing(**scores.get("guessing", {})).accuracy)


def _rung(name: str, values: Mapping[str, Any]) -> Rung:
    free, circular, calibration = (
        values.get(part) for part in ("free_generation", "circular", "calibration")
    )
    return Rung(
        name,
        Accuracy(**values["accuracy"]),
        FreeGeneration(**free) if free else None,
        Accuracy(**circular) if circular else None,
        calibration["ece"] if calibration else None,
    )
