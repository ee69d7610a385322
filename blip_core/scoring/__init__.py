"""Scores: one metric a file, and the statistics that compare two variants."""

from blip_core.scoring.accuracy import Accuracy, accuracy
from blip_core.scoring.breakdown import LetterScore, by_category, by_kind, per_letter
from blip_core.scoring.comparison import Comparison, compare, verdict
from blip_core.scoring.free_generation import FreeGeneration, free_generation

__all__ = [
    "Accuracy",
    "Comparison",
    "FreeGeneration",
    "LetterScore",
    "accuracy",
    "by_category",
    "by_kind",
    "compare",
    "free_generation",
    "per_letter",
    "verdict",
]
