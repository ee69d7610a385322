"""One model is resident at a time: closed backends refuse work and give their memory back."""

import gc
from typing import Any

import torch

from blip_core.errors import StageFailure


def still_open(model: Any, owner: object) -> Any:
    """Return a backend's model.

    Raises:
        StageFailure: when the backend was closed.
    """
    if model is None:
        raise StageFailure(f"{type(owner).__name__} was closed and takes no more work.")
    return model


def release_memory() -> None:
    """Give back what models left behind, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
