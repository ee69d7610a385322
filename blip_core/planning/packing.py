"""Quantised linears on the `meta` device: the bytes they rest in, and the room they need while they work.

They do what bitsandbytes does: NF4 is unpacked into the type that is computed in, forward and again backward,
and keeps no input for the backward pass; int8 turns its input into float16 and int8 and keeps it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from blip_core.modeling.quantisation import Quantisation, is_quantisable

NF4_BLOCK = 64  # weights that share a scale (bitsandbytes' default block size)
NF4_OUTER_BLOCK = 256  # scales that share a scale of their own under double quantisation
_CODES_BYTES = (256 + 16 + 1) * 4  # the two code books and the offset of one linear, float32
_FLOAT32_BYTES = 4
_COMPUTE_DTYPE = torch.bfloat16  # what quantisation_config asks for


class PackedLinear(nn.Linear):
    """A linear without gradient whose weight is quantised.

    Args:
        whole: the linear as it was.
        quantisation: `int8` or `nf4`.
    """

    def __init__(self, whole: nn.Linear, quantisation: Quantisation) -> None:
        super().__init__(whole.in_features, whole.out_features, whole.bias is not None, device="meta")
        elements = whole.weight.numel()
        shape = (elements // 2, 1) if quantisation == "nf4" else whole.weight.shape
        dtype = torch.uint8 if quantisation == "nf4" else torch.int8
        self.weight = nn.Parameter(torch.empty(shape, dtype=dtype, device="meta"), requires_grad=False)
        if whole.bias is not None:
            self.bias = nn.Parameter(torch.empty_like(whole.bias), requires_grad=False)
        self.quantisation = quantisation
        self.unpacked = elements

    @property
    def scales_bytes(self) -> int:
        """Bytes of the scales that belong to the weight."""
        if self.quantisation == "int8":
            return self.out_features * _FLOAT32_BYTES
        scales = -(-self.unpacked // NF4_BLOCK)
        return scales + -(-scales // NF4_OUTER_BLOCK) * _FLOAT32_BYTES + _CODES_BYTES

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the name that torch gives it
        """(..., in) -> (..., out)."""
        shape = (self.out_features, self.in_features)
        if self.quantisation == "int8":
            output: Tensor = _Int8.apply(input, self.weight)  # type: ignore[no-untyped-call]
            return output if self.bias is None else output + self.bias
        output = _Nf4.apply(input.to(_COMPUTE_DTYPE), shape, self.bias)  # type: ignore[no-untyped-call]
        return output.to(input.dtype)


class _Nf4(torch.autograd.Function):
    """bitsandbytes' MatMul4Bit where no kernel multiplies packed weights: with more than a few rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, shape: tuple[int, int], bias: Tensor | None) -> Tensor:
        ctx.shape = shape
        weight = _unpacked(rows, shape)
        return linear(rows, weight, None if bias is None else bias.to(rows.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad @ _unpacked(grad, ctx.shape), None, None


def _unpacked(like: Tensor, shape: tuple[int, int]) -> Tensor:
    scales = like.new_zeros(shape[0] * shape[1] // NF4_BLOCK, dtype=torch.float32)
    weight = like.new_zeros(shape)
    del scales
    return weight


class _Int8(torch.autograd.Function):
    """bitsandbytes' MatMul8bitLt with a threshold."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.shape = weight.shape
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(rows)
        small = rows.to(torch.float16).to(torch.int8)
        sums = linear(small, weight).to(torch.int32)
        return sums.to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad @ grad.new_zeros(ctx.shape), None


def pack(model: nn.Module, quantisation: Quantisation) -> None:
    """Quantise the language model of a BLIP-2, in place, as loading does."""
    if quantisation == "none":
        return
    whole = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and is_quantisable(name)
    ]
    for name, module in whole:
        model.set_submodule(name, PackedLinear(module, quantisation))
