"""Two-stage inference in batches, with each picture encoded once."""

from blip_core.inference.letters import read_letter
from blip_core.inference.oracle import predict_row_by_row
from blip_core.inference.predicting import describe, predict

__all__ = ["describe", "predict", "predict_row_by_row", "read_letter"]
