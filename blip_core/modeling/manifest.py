"""Which part of a model is stored in which type."""

from collections import defaultdict
from dataclasses import dataclass

import torch
from bitsandbytes.nn import Int8Params, Params4bit
from torch import nn

from blip_core.errors import CheckpointError
from blip_core.modeling.quantisation import LANGUAGE_MODEL, Quantisation, assert_partly_quantised

FLOAT32_PARTS = ("qformer", "query_tokens")


@dataclass(frozen=True, slots=True)
class ModuleDtype:
    """What one part of a model stores in one type.

    Attributes:
        module: name of the part: the first component of its parameters' names.
        dtype: `float32`, `bfloat16`, `float16`, `int8` or `nf4`.
        parameters: weights, counted before packing.
        bytes: bytes they take, with the scales that quantisation adds.
    """

    module: str
    dtype: str
    parameters: int
    bytes: int


def dtype_manifest(model: nn.Module) -> list[ModuleDtype]:
    """Every part of a model with the types it is stored in, in order; shared weights count once."""
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for name, parameter in model.named_parameters():
        total = totals[name.split(".", 1)[0], stored_dtype(parameter)]
        total[0] += unpacked_size(parameter)
        total[1] += stored_bytes(parameter)
    return [ModuleDtype(module, dtype, *total) for (module, dtype), total in totals.items()]


def stored_dtype(parameter: torch.Tensor) -> str:
    if isinstance(parameter, Params4bit):
        return str(parameter.quant_type)
    if isinstance(parameter, Int8Params):
        return "int8"
    return str(parameter.dtype).removeprefix("torch.")


def unpacked_size(parameter: torch.Tensor) -> int:
    """Number of weights; NF4 packs two into a byte."""
    if isinstance(parameter, Params4bit) and parameter.quant_state is not None:
        return int(parameter.quant_state.shape.numel())
    return parameter.numel()


def stored_bytes(parameter: torch.Tensor) -> int:
    stored = parameter.numel() * parameter.element_size()
    if isinstance(parameter, Params4bit) and parameter.quant_state is not None:
        state = parameter.quant_state.as_dict(packed=True).values()
        stored += sum(
            value.numel() * value.element_size() for value in state if isinstance(value, torch.Tensor)
        )
    if isinstance(parameter, Int8Params) and parameter.SCB is not None:
        stored += parameter.SCB.numel() * parameter.SCB.element_size()
    return stored


def assert_manifest(
    model: nn.Module, quantisation: Quantisation, dtype: str | None = None
) -> list[ModuleDtype]:
    """Prove that a model was loaded as asked: see `assert_partly_quantised`; the Q-Former is float32.

    Args:
        model: a BLIP-2 without adapter.
        quantisation: of its language model.
        dtype: of all else but the Q-Former; None takes any.

    Returns:
        Its manifest.

    Raises:
        CheckpointError: A part has another type than it should.
    """
    assert_partly_quantised(model, quantisation)
    manifest = dtype_manifest(model)
    for row in manifest:
        if row.module in FLOAT32_PARTS and row.dtype != "float32":
            raise CheckpointError(f"{row.module} was loaded as {row.dtype}; it must be float32 to be tuned")
        allowed = _allowed(row.module, quantisation, dtype)
        if dtype is not None and row.dtype not in allowed:
            raise CheckpointError(
                f"{row.module} was loaded as {row.dtype} and should be {' or '.join(sorted(allowed))}"
            )
    return manifest


def _allowed(module: str, quantisation: Quantisation, dtype: str | None) -> set[str]:
    if module in FLOAT32_PARTS:
        return {"float32"}
    if module != LANGUAGE_MODEL:
        return {str(dtype)}
    # transformers keeps a T5's `wo` in float32 where all else is float16, in which it overflows.
    overflows = {"float32"} if dtype == "float16" else set()
    return {str(dtype)} | overflows | ({quantisation} - {"none"})


def dtype_table(manifest: list[ModuleDtype]) -> str:
    """A manifest as lines for a log."""
    return "\n".join(
        f"{row.module:<20} {row.dtype:<9} {row.parameters:>14,} parameters {row.bytes:>14,} bytes"
        for row in manifest
    )
