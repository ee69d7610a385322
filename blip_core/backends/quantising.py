"""Weights of a denoiser's blocks in 8 or 4 bits, through bitsandbytes, on GPUs and CPUs.

The quantisers of diffusers ask for a GPU. Layers are quantised when they are moved to a device.
"""

import re
from typing import Any, Literal

import torch
from bitsandbytes.nn import Int8Params, Linear4bit, Linear8bitLt, Params4bit
from torch import nn

from blip_core.modeling.quantisation import INT8_THRESHOLD, keep_weights_unpacked, quieten_int8

_IN_A_BLOCK = re.compile(r"\.\d+\.")  # blocks are numbered; what leads in and out of them stays whole
_WHOLE = re.compile(r"norm|emb|mod")  # time and text steer every pixel through these few weights


def quantise_blocks(model: nn.Module, quantisation: Literal["int8", "nf4"], dtype: torch.dtype) -> list[str]:
    """Put quantised layers in the places of the linears of a model's blocks.

    Args:
        model: a UNet or transformer, not on its device yet.
        quantisation: how weights are held.
        dtype: type that is computed in.

    Returns:
        Names of the layers that were replaced.
    """
    chosen = block_linears(model)
    for name, plain in chosen:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, _quantised(plain, quantisation, dtype))
    keep_weights_unpacked(model)
    quieten_int8()
    return [name for name, _ in chosen]


def block_linears(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """The linears of a model's blocks that are quantised, by name."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _IN_A_BLOCK.search(name) and not _WHOLE.search(name)
    ]


def _quantised(plain: Any, quantisation: Literal["int8", "nf4"], dtype: torch.dtype) -> nn.Module:
    made: Any
    if quantisation == "nf4":
        made = Linear4bit(
            plain.in_features,
            plain.out_features,
            plain.bias is not None,
            compute_dtype=dtype,
            quant_type="nf4",
        )
        made.weight = Params4bit(plain.weight.data, requires_grad=False, quant_type="nf4")
    else:
        made = Linear8bitLt(
            plain.in_features,
            plain.out_features,
            plain.bias is not None,
            has_fp16_weights=False,
            threshold=INT8_THRESHOLD,
        )
        made.weight = Int8Params(plain.weight.data, requires_grad=False, has_fp16_weights=False)
    made.bias = plain.bias
    quantised: nn.Module = made.requires_grad_(False).eval()
    return quantised
