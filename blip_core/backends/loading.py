"""What loading has in common: the types of weights, one clear error, no lines of the libraries' own."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from blip_core.backends.memory import is_out_of_memory
from blip_core.errors import CheckpointError, StageFailure
from blip_core.recipes.checkpoint import Dtype

_SHOWN_NAMES = 3
# What libraries raise for files that are missing, cut short, or of other contents than they take for granted.
_FAULTS = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    MemoryError,
    struct.error,
)

DTYPES: dict[Dtype, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@contextmanager
def loading(folder: Path, kind: str) -> Iterator[None]:
    """Load a model of some kind from a folder, quietly.

    Loading is short, and callers show progress of their own. Advice to install other packages is not for the
    person who runs a recipe; what is wrong with the folder is raised.

    Raises:
        StageFailure: when memory does not suffice for the weights.
        CheckpointError: for whatever the library finds wrong with the folder.
    """
    library: Any = logging
    shows_bars, verbosity = library.is_progress_bar_enabled(), library.get_verbosity()
    library.disable_progress_bar()
    library.set_verbosity_error()
    try:
        yield
    except _FAULTS as error:
        if is_out_of_memory(error):
            raise StageFailure(
                f"memory does not suffice for the weights in {folder}: set their dtype to float16 or "
                "bfloat16, take a smaller checkpoint, or stop other programs that use the device"
            ) from error
        raise CheckpointError(f"{folder} cannot be loaded as {kind}: {error}") from error
    finally:
        library.set_verbosity(verbosity)
        if shows_bars:
            library.enable_progress_bar()


def refuse_missing_weights(folder: Path, info: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that lacks weights: they would be random, and the library merely warns.

    Args:
        folder: where it was loaded from.
        info: what `from_pretrained(..., output_loading_info=True)` says.

    Raises:
        CheckpointError: when weights are missing.
    """
    missing = sorted(info["missing_keys"])
    if missing:
        names = ", ".join(missing[:_SHOWN_NAMES])
        raise CheckpointError(f"{folder} lacks {len(missing)} weights (such as {names}); fetch it again.")
