"""Gradient checkpointing (arXiv 1604.06174): layers keep their inputs, and run twice.

transformers 5.23 calls it activation checkpointing, earlier ones of those that are allowed do not.
"""

from typing import Any


def compute_activations_twice(model: Any, **options: Any) -> None:
    """Let the layers of a model of transformers keep their inputs alone.

    Args:
        model: is changed.
        options: of `torch.utils.checkpoint.checkpoint`.
    """
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False, **options})


def keep_activations(model: Any) -> None:
    """Let them keep everything again."""
    disable = getattr(model, "activation_checkpointing_disable", None) or model.gradient_checkpointing_disable
    disable()
