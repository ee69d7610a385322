"""Tuning LoRA adapters on BLIP-2 with the Hugging Face Trainer."""

from blip_core.training.finetuning import TrainingResult, finetune

__all__ = ["TrainingResult", "finetune"]
