"""Linears of a CPU through oneDNN, which torch itself uses for bfloat16 but not for float32.

torch hands float32 products to MKL, which leaves the wider half of an AMD processor's units idle. Measured on
one core of an EPYC with AVX-512: MKL 105 GFLOP/s, oneDNN 235, over shapes of 64 to 7,000 rows. The operator
is the one that `torch.compile` emits for linears on CPUs; sums are taken in another order, so that results
differ in the last bits.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers.activations import GELUActivation
from transformers.models.blip_2.modeling_blip_2 import Blip2MLP
from transformers.models.instructblip.modeling_instructblip import InstructBlipMLP

from blip_core.modeling.replacing import Way, is_replaced, replaced_forwards

_OPERATOR = "_linear_pointwise"  # of torch.ops.mkldnn
_SEEING = (Blip2MLP, InstructBlipMLP)  # what the vision tower does to each patch after attention
_SINCE = (2, 13)  # in torch 2.11 a row's bits depend on its place in a batch, and kept features must not

MIN_ROWS = 8
"""Fewer rows multiply faster in MKL, which takes a third of the time to get going."""


def quick_linears(model: nn.Module) -> AbstractContextManager[None]:
    """Let the float32 linears of a model that lie on a CPU multiply through oneDNN, for a while.

    Gradients flow through those that are frozen. Those that learn multiply as ever while gradients are taken,
    and quantised ones always.
    """
    return replaced_forwards((module, way) for module in model.modules() if (way := _quicker_way(module)))


def _quicker_way(module: nn.Module) -> Way | None:
    if isinstance(module, nn.Linear) and _can_be_quicker(module):
        return _multiply
    if isinstance(module, _SEEING) and isinstance(module.activation_fn, GELUActivation):
        return _see
    return None


def _see(mlp: Blip2MLP | InstructBlipMLP, states: Tensor) -> Tensor:
    seen: Tensor = mlp.fc2(multiply_gelu(mlp.fc1, states, "none"))
    return seen


def _can_be_quicker(module: nn.Linear) -> bool:
    if type(module) is not nn.Linear or is_replaced(module) or not _is_there():
        return False
    return module.weight.device.type == "cpu" and module.weight.dtype == torch.float32


def _is_there() -> bool:
    release = torch.__version__.split(".")[:2]
    is_new = tuple(map(int, release)) >= _SINCE
    return is_new and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, _OPERATOR)


def multiply_gelu(linear: nn.Module, states: Tensor, approximate: str) -> Tensor:
    """GELU of what a linear gives; within `quick_linears` in one pass over the wide states.

    Args:
        linear: any module, quick or not.
        states: (..., width) that it takes.
        approximate: `none` or `tanh`, as torch's GELU has it.
    """
    if isinstance(linear, nn.Linear) and _is_quick(linear, states):
        activated: Tensor = _operator()(states, linear.weight, linear.bias, "gelu", [], approximate)
        return activated
    return functional.gelu(linear(states), approximate=approximate)


def multiply_by(linear: nn.Module, states: Tensor, factor: Tensor) -> Tensor:
    """What a linear gives, times a factor of that shape; within `quick_linears` in one pass."""
    if isinstance(linear, nn.Linear) and _is_quick(linear, states):
        product: Tensor = _operator().binary(states, factor, linear.weight, linear.bias, "mul")
        return product
    multiplied: Tensor = linear(states) * factor
    return multiplied


def product(states: Tensor, weight: Tensor) -> Tensor:
    """States times a transposed weight, by the quicker library; takes no gradient.

    Args:
        states: (..., in), contiguous.
        weight: (out, in).
    """
    if _is_quick_product(states, weight):
        return _product(states, weight, None)
    return functional.linear(states, weight)


def product_added(states: Tensor, weight: Tensor, added: Tensor) -> Tensor:
    """The same and another tensor of its result's shape, in one pass; takes no gradient."""
    if _is_quick_product(states, weight):
        both: Tensor = _operator().binary(states, added.contiguous(), weight, None, "add")
        return both
    return functional.linear(states, weight).add_(added)


def _is_quick_product(states: Tensor, weight: Tensor) -> bool:
    are_float = states.dtype == weight.dtype == torch.float32
    return are_float and states.numel() >= MIN_ROWS * states.shape[-1] and _is_there()


def _multiply(linear: nn.Linear, states: Tensor) -> Tensor:
    if not _is_worth_it(linear, states) or (torch.is_grad_enabled() and _learns(linear)):
        return functional.linear(states, linear.weight, linear.bias)
    if _takes_gradients(states):
        passed: Tensor = _Frozen.apply(states, linear.weight, linear.bias)  # type: ignore[no-untyped-call]
        return passed
    return _product(states, linear.weight, linear.bias)


def _product(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = _operator()(states, weight, bias, "none", [], "")
    return product


class _Frozen(torch.autograd.Function):
    """A product with a weight that does not learn: only the states take a gradient, by the same operator."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return _product(states, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return _product(gradient.contiguous(), weight.t(), None), None, None


def _learns(linear: nn.Linear) -> bool:
    return any(parameter.requires_grad for parameter in linear.parameters())


def _takes_gradients(states: Tensor) -> bool:
    return torch.is_grad_enabled() and states.requires_grad


def _is_quick(linear: nn.Linear, states: Tensor) -> bool:
    """Whether what follows a product may be folded into it, which no gradient gets through."""
    if torch.is_grad_enabled() and (states.requires_grad or _learns(linear)):
        return False
    return is_replaced(linear) and _is_worth_it(linear, states)


def _is_worth_it(linear: nn.Linear, states: Tensor) -> bool:
    rows = states.numel() // linear.in_features
    return rows >= MIN_ROWS and states.dtype == torch.float32


def _operator() -> Any:
    return getattr(torch.ops.mkldnn, _OPERATOR)
