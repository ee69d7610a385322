"""Linears of a CPU through oneDNN, which torch itself uses for bfloat16 but not for float32.

torch hands float32 products to MKL, which leaves the wider half of an AMD processor's units idle. Measured on
one core of an EPYC with AVX-512: MKL 105 GFLOP/s, oneDNN 235, over shapes of 64 to 7,000 rows. The operator
is the one that `torch.compile` emits for linears on CPUs; sums are taken in another order, so that results
differ in the last bits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

_FORWARD = "forward"
_OPERATOR = "_linear_pointwise"  # of torch.ops.mkldnn

MIN_ROWS = 8
"""Fewer rows multiply faster in MKL, which takes a third of the time to get going."""


@contextmanager
def quick_linears(model: nn.Module) -> Iterator[None]:
    """Let the float32 linears of a model that lie on a CPU multiply through oneDNN, for a while.

    Gradients do not flow through them, so all inside is for inference. Quantised linears stay as they are.
    """
    linears = [
        module for module in model.modules() if isinstance(module, nn.Linear) and _can_be_quicker(module)
    ]
    for module in linears:
        vars(module)[_FORWARD] = partial(_multiply, module)
    try:
        yield
    finally:
        for module in linears:
            del vars(module)[_FORWARD]


def _can_be_quicker(module: nn.Linear) -> bool:
    if type(module) is not nn.Linear or _FORWARD in vars(module) or not _is_there():
        return False
    return module.weight.device.type == "cpu" and module.weight.dtype == torch.float32


def _is_there() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, _OPERATOR)


def _multiply(linear: nn.Linear, states: Tensor) -> Tensor:
    rows = states.numel() // linear.in_features
    if rows < MIN_ROWS or states.dtype != torch.float32:
        return functional.linear(states, linear.weight, linear.bias)
    operator: Callable[..., Tensor] = getattr(torch.ops.mkldnn, _OPERATOR)
    return operator(states, linear.weight, linear.bias, "none", [], "")
