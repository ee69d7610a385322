"""Datasets on disk: splits that growth never moves, Parquet that Hugging Face reads, and a card."""

from blip_core.dataset.mixing import Mixture, mix
from blip_core.dataset.reading import read_examples, read_split, taught
from blip_core.dataset.splits import assign_splits, split_of
from blip_core.dataset.writing import STAGE, DatasetCounts, write_dataset

__all__ = [
    "STAGE",
    "DatasetCounts",
    "Mixture",
    "assign_splits",
    "mix",
    "read_examples",
    "read_split",
    "split_of",
    "taught",
    "write_dataset",
]
