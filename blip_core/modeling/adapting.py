"""LoRA on a CPU as one function: what is added goes into the frozen product's own result.

peft writes a layer as frozen product, dropout, two small products, a scaling and a sum, the last two of which
read and write all that the layer gives, in both directions. Here the scaling goes into the numbers between
both products, of which there are few, and the sum into the second product (Hu et al., arXiv 2106.09685). What
is dropped is what `quick_dropout` would drop.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from blip_core.modeling.dropping import kept
from blip_core.modeling.multiplying import product, product_added
from blip_core.modeling.replacing import replaced_forwards


def quick_adapters(model: nn.Module) -> AbstractContextManager[None]:
    """Let the plain LoRA layers of a model add in this way to float32 states on a CPU, for a while.

    Layers that are merged, switched off, quantised or of another kind (DoRA, biases, several at once) go the
    way of peft.
    """
    return replaced_forwards((module, _adapt) for module in model.modules() if type(module) is LoraLinear)


def _adapt(layer: Any, states: Tensor, *more: Any, **options: Any) -> Tensor:
    adapter = None if more or options else _only_adapter(layer)
    if adapter is None or not _is_served(states, layer, adapter):
        unchanged: Tensor = type(layer).forward(layer, states, *more, **options)
        return unchanged
    return add_low_rank(
        states,
        layer.base_layer(states),
        layer.lora_A[adapter].weight,
        layer.lora_B[adapter].weight,
        layer.scaling[adapter],
        _chance(layer.lora_dropout[adapter]),
    )


def _only_adapter(layer: Any) -> str | None:
    """The one adapter that a layer adds plainly; None where there is another number or kind of them."""
    active = layer.active_adapters
    if layer.disable_adapters or layer.merged or len(active) != 1 or active[0] not in layer.lora_A:
        return None
    return None if active[0] in layer.lora_variant else str(active[0])


def _is_served(states: Tensor, layer: Any, adapter: str) -> bool:
    down, up, dropout = layer.lora_A[adapter], layer.lora_B[adapter], layer.lora_dropout[adapter]
    if type(dropout) not in (nn.Dropout, nn.Identity) or _chance(dropout) >= 1:
        return False
    if down.bias is not None or up.bias is not None:
        return False
    taken = (states, down.weight, up.weight, layer.base_layer.weight)
    return all(one.device.type == "cpu" and one.dtype == torch.float32 for one in taken)


def _chance(dropout: nn.Module) -> float:
    return dropout.p if isinstance(dropout, nn.Dropout) and dropout.training else 0.0


def add_low_rank(
    states: Tensor, result: Tensor, down: Tensor, up: Tensor, scaling: float, chance: float
) -> Tensor:
    """A layer's result and what LoRA adds to it: (..., out).

    Args:
        states: (..., in).
        result: (..., out), of the frozen layer.
        down: (rank, in).
        up: (out, rank).
        scaling: of what is added.
        chance: of a state to be dropped before it goes down; under 1.
    """
    added: Tensor = _LowRank.apply(states, result, down, up, scaling, chance)  # type: ignore[no-untyped-call]
    return added


class _LowRank(torch.autograd.Function):
    """Keeps states as they were dropped, and what was dropped only where the states take a gradient."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, result: Tensor, down: Tensor, up: Tensor, scaling: float, chance: float
    ) -> Tensor:
        factors = kept(states, chance) if chance > 0 else None
        dropped = states
        if factors is not None:
            dropped = states * factors if ctx.needs_input_grad[0] else factors.mul_(states)
        narrow = product(dropped, down).mul_(scaling)
        ctx.save_for_backward(dropped, narrow, down, up, factors if ctx.needs_input_grad[0] else None)
        ctx.scaling = scaling
        return product_added(narrow, up, result)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor | None, Tensor | None, None, None]:
        dropped, narrow, down, up, factors = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_states, of_down, of_up = None, None, None
        of_narrow = product(gradient, up.t()).mul_(ctx.scaling)
        if ctx.needs_input_grad[2]:
            of_down = of_narrow.flatten(0, -2).t() @ dropped.flatten(0, -2)
        if ctx.needs_input_grad[3]:
            of_up = gradient.flatten(0, -2).t() @ narrow.flatten(0, -2)
        if ctx.needs_input_grad[0]:
            of_states = product(of_narrow, down.t())
            if factors is not None:
                of_states.mul_(factors)
        return of_states, gradient, of_down, of_up, None, None
