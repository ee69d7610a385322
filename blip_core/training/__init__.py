"""Tuning adapters on BLIP-2 with the Hugging Face Trainer."""

from blip_core.training.finetuning import finetune
from blip_core.training.results import TrainingCounts, TrainingResult

__all__ = ["TrainingCounts", "TrainingResult", "finetune"]
