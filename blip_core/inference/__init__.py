"""Two-stage inference in batches, with each picture encoded once."""

from blip_core.inference.answers import Answers
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.letters import read_letter
from blip_core.inference.oracle import answer_row_by_row, predict_row_by_row
from blip_core.inference.predicting import answer, answer_windows, describe, predict

__all__ = [
    "Answers",
    "InferenceCounts",
    "answer",
    "answer_row_by_row",
    "answer_windows",
    "describe",
    "predict",
    "predict_row_by_row",
    "read_letter",
]
