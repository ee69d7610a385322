"""The modules of a BLIP-2 or InstructBLIP from its config: no weights, no memory."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from blip_core.modeling.backbones import backbone_in, backbone_of, family_in
from blip_core.modeling.checkpoints import check_checkpoint_folder


def meta_blip2(config: Any) -> nn.Module:
    """The modules of a `Blip2Config` or `InstructBlipConfig` on the `meta` device."""
    with torch.device("meta"):
        model: nn.Module = backbone_of(config).model(config)
    return model


def read_architecture(folder: Path) -> nn.Module:
    """The modules of a checkpoint on the `meta` device.

    Raises:
        CheckpointError: The folder cannot be loaded safely, or holds another kind of model.
    """
    content = check_checkpoint_folder(folder)
    family_in(folder, content)
    config = backbone_in(folder, content).config.from_pretrained(folder, local_files_only=True)
    return meta_blip2(config)
