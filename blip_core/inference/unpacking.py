"""Whether a quantised language model is unpacked for batch work, which spares unpacking it at every token."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psutil
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch import Tensor, nn

from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.manifest import dtype_manifest
from blip_core.recipes.inference import Inference

MEMORY_MARGIN = 0.5
"""Share of the free memory that unpacked weights may take; activations, keys and values need the rest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unpacking:
    """What was decided.

    Attributes:
        is_unpacked: whether the language model answers with whole weights.
        reason: why, for people.
    """

    is_unpacked: bool
    reason: str


def unpack_if_roomy(bundle: Blip2Bundle, settings: Inference) -> tuple[Blip2Bundle, Unpacking]:
    """Unpack an NF4 language model in place where the settings say `dense = "auto"` and memory allows.

    Its weights are those that NF4 stands for, multiplied in the type that NF4 layers multiply in, so that the
    answers are those of the NF4 twin. Int8 stays as it is: it rounds what goes in, too, and whole weights
    would be another model.

    Args:
        bundle: the model; not to be used any more where it was unpacked.
        settings: how it answers.

    Returns:
        The model that answers, and what was decided.
    """
    decision = decide(bundle, settings, free_bytes(bundle.device))
    _log.info("language model: %s", decision.reason)
    if not decision.is_unpacked:
        return bundle, decision
    _unpack(bundle.blip2.language_model)
    return replace(bundle, quantisation="none", manifest=dtype_manifest(bundle.blip2)), decision


def decide(bundle: Blip2Bundle, settings: Inference, free: int) -> Unpacking:
    """Decide by the bytes that are free where the model is."""
    if bundle.quantisation != "nf4":
        return Unpacking(False, f"quantisation is {bundle.quantisation}, there is nothing to unpack")
    if settings.dense == "never":
        return Unpacking(False, "stays nf4, inference.dense is never")
    needed, allowed = unpacked_bytes(bundle), int(MEMORY_MARGIN * free)
    figures = (
        f"whole weights take {_mib(needed)}, and {MEMORY_MARGIN:.0%} of the free memory is {_mib(allowed)}"
    )
    if needed > allowed:
        return Unpacking(False, f"stays nf4: {figures}")
    return Unpacking(True, f"unpacked: {figures}")


def unpacked_bytes(bundle: Blip2Bundle) -> int:
    """Bytes of the whole weights of all that is packed."""
    return sum(
        layer.weight.quant_state.shape.numel() * _type_of(layer).itemsize
        for _, _, layer in _packed(bundle.blip2.language_model)
    )


def free_bytes(device: torch.device) -> int:
    """Free memory of a GPU, or of this machine."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _packed(model: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """Every packed linear with its parent and its name there, adapters' own base layers among them."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Linear4bit):
                yield parent, name, child


class UnpackedLinear(nn.Linear):
    """A linear that multiplies in the type of its weights and answers in the type that it is asked in."""

    def forward(self, states: Tensor) -> Tensor:
        return super().forward(states.to(self.weight.dtype)).to(states.dtype)


def _unpack(model: nn.Module) -> None:
    for parent, name, packed in _packed(model):
        setattr(parent, name, _unpacked(packed))


@torch.no_grad()
def _unpacked(packed: Any) -> UnpackedLinear:
    dtype = _type_of(packed)
    weight = dequantize_4bit(packed.weight.data, packed.weight.quant_state).to(dtype)
    whole = UnpackedLinear(packed.in_features, packed.out_features, packed.bias is not None, device="meta")
    whole.weight = nn.Parameter(weight, requires_grad=False)
    if packed.bias is not None:
        whole.bias = nn.Parameter(packed.bias.to(dtype), requires_grad=False)
    return whole.eval()


def _type_of(packed: Any) -> torch.dtype:
    """What a packed layer multiplies in."""
    dtype: torch.dtype = packed.compute_dtype or packed.weight.quant_state.dtype
    return dtype


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
