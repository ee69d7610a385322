"""Tables of a page: scores of all variants side by side, by part, by mode and by letter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blip_core.records import OPTION_LETTERS, Prediction
from blip_core.reporting.ladder import Ladder
from blip_core.scoring import BY_LETTER, Accuracy, Bin, Calibration, Comparison, Guessing, ranking_of
from blip_core.scoring.measures import measure_named

SHADES = 10  # of a cell of the confusion table

_MODES = {
    "one-stage": "no description",
    "description-only": "description, no picture",
    "blind": "neither picture nor description",
}

Scores = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """A share of right answers with its interval, and how it compares where that was tested."""

    accuracy: Accuracy
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: its name, what guessing would reach, and a cell a variant; None, it has none."""

    name: str
    cells: Sequence[Cell | None]
    chance: float | None

    @property
    def n(self) -> int:
        """Answers behind the fullest cell."""
        return max((cell.accuracy.n for cell in self.cells if cell), default=0)


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each letter was chosen where each was right.

    Attributes:
        variant: who chose.
        letters: those that were ever right or chosen.
        choices: the same, and an empty one where some answer names no letter.
        counts: `letters` as truth x `choices`.
    """

    variant: str
    letters: Sequence[str]
    choices: Sequence[str]
    counts: Sequence[Sequence[int]]

    def shade(self, truth: int, chosen: int) -> int:
        """Share of the row's answers, in tenths."""
        total = sum(self.counts[truth])
        return round(SHADES * self.counts[truth][chosen] / total) if total else 0


def parts(scores: Scores, part: str) -> list[Line]:
    """Accuracies by `by_kind` or `by_category`; empty where fewer than two parts are told apart."""
    variants = scores.get("variants", {}).values()
    names = sorted({name for values in variants for name in values.get(part, {})})
    chance = _guessing(scores).accuracy if ranking_of(scores) == BY_LETTER else None
    lines = [
        Line(name, [_cell(values.get(part, {}).get(name)) for values in variants], chance) for name in names
    ]
    return lines if len(lines) > 1 else []


def modes(scores: Scores) -> list[Line]:
    """What variants score when they see less or options rotate, below what they score as a rule.

    Empty where nothing of the kind was asked for.
    """
    variants = scores.get("variants", {})
    if ranking_of(scores) != BY_LETTER:
        return []
    chance = _guessing(scores)
    lines = [Line(words, _mode_cells(scores, mode), chance.accuracy) for mode, words in _MODES.items()]
    for name, words, reached in (
        ("circular", "right in all rotations", chance.circular),
        ("averaged", "averaged over the rotations", chance.accuracy),
    ):
        lines.append(Line(words, [_cell(values.get(name)) for values in variants.values()], reached))
    found = [line for line in lines if line.n]
    cells = [_cell(values["accuracy"]) for values in variants.values()]
    whole = Line("everything shown", cells, chance.accuracy)
    return [whole, *found] if found else []


def confusions(answers: Mapping[str, Sequence[Prediction]]) -> list[Confusion]:
    """A table a variant; none of a variant whose rows have no true answers."""
    found = [confusion(name, rows) for name, rows in answers.items()]
    return [one for one in found if one.letters]


def confusion(variant: str, predictions: Sequence[Prediction]) -> Confusion:
    """Count letters; rows without a true answer are left out."""
    counts = Counter((row.truth, str(row.ranked)) for row in predictions if row.truth)
    letters = [letter for letter in OPTION_LETTERS if any(letter in pair for pair in counts)]
    silent = [""] if any(not chosen for _, chosen in counts) else []
    choices = letters + silent
    return Confusion(
        variant, letters, choices, [[counts[truth, one] for one in choices] for truth in letters]
    )


def calibrations(scores: Scores) -> dict[str, Calibration]:
    """Reliability tables by variant; without those that have none."""
    return {
        name: _calibration(values["calibration"])
        for name, values in scores.get("variants", {}).items()
        if values.get("calibration")
    }


def measures(ladder: Ladder) -> list[list[str]]:
    """Means of all measures of texts, a line a measure, its heading first; empty where there are options."""
    names = dict.fromkeys(name for rung in ladder.rungs for name in rung.measures)
    lines = [
        [name, measure_named(name).words, *(_mean(rung.measures.get(name)) for rung in ladder.rungs)]
        for name in names
    ]
    return [["measure", "what it is", *(rung.name for rung in ladder.rungs)], *lines] if lines else []


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def captions(scores: Scores) -> dict[str, Mapping[str, Any]]:
    """Scores of descriptions by variant; without those that have none."""
    variants = scores.get("variants", {})
    return {name: told["captions"] for name, told in variants.items() if told.get("captions")}


def _guessing(scores: Scores) -> Guessing:
    return Guessing(**scores.get("guessing", {}))


def _mode_cells(scores: Scores, mode: str) -> list[Cell | None]:
    compared = scores.get("ablation_comparisons", {})
    cells = []
    for name, values in scores.get("variants", {}).items():
        told = [Comparison(**one) for one in compared.get(name, ()) if one["b"] == mode]
        cells.append(_cell(values.get("ablations", {}).get(mode), next(iter(told), None)))
    return cells


def _cell(accuracy: Mapping[str, Any] | None, comparison: Comparison | None = None) -> Cell | None:
    return Cell(Accuracy(**accuracy), comparison) if accuracy else None


def _calibration(values: Mapping[str, Any]) -> Calibration:
    return Calibration(values["ece"], values["brier"], tuple(Bin(**one) for one in values["bins"]))
