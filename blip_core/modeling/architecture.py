"""The modules of a BLIP-2 from its config: no weights, no memory."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Blip2Config, Blip2ForConditionalGeneration

from blip_core.modeling.checkpoints import check_checkpoint_folder


def meta_blip2(config: Any) -> nn.Module:
    """The modules of a `Blip2Config` on the `meta` device."""
    with torch.device("meta"):
        model: nn.Module = Blip2ForConditionalGeneration(config)
    return model


def read_architecture(folder: Path) -> nn.Module:
    """The modules of a checkpoint on the `meta` device.

    Raises:
        CheckpointError: The folder cannot be loaded safely.
    """
    check_checkpoint_folder(folder)
    return meta_blip2(Blip2Config.from_pretrained(folder, local_files_only=True))
