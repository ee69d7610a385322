"""What loading has in common: the types of weights, one clear error, no bars of the libraries' own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from blip_core.errors import CheckpointError
from blip_core.recipes.checkpoint import Dtype

DTYPES: dict[Dtype, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@contextmanager
def loading(folder: Path, kind: str) -> Iterator[None]:
    """Load a model of some kind from a folder, quietly.

    Raises:
        CheckpointError: for whatever the library finds wrong with the folder.
    """
    bars: Any = logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"{folder} cannot be loaded as {kind}: {error}") from error
    finally:
        if shown:
            bars.enable_progress_bar()
