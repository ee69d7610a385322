"""Attention that a tuning on a CPU learns through, its dropout drawn by 16 bits a number.

With dropout torch's attention has no fused kernel on a CPU: it looks for rows in which all is hidden, which
takes four passes over the scores, and draws 32 bits for each. A tuning of 8 million weights takes a twentieth
less CPU time by ours.

B: rows, H: heads, T: tokens asked about, N: tokens attended to, D: width of a head.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from blip_core.modeling.dropping import kept

_REPLACED = "sdpa"
_HIDDEN = torch.finfo(torch.float32).min
_OF_SOFTMAX = "_softmax_backward_data"  # of torch.ops.aten


@contextmanager
def quick_attention() -> Iterator[None]:
    """Let models attend in this way, for a while, where they would by torch's own attention.

    It serves float32 on a CPU where shares are dropped; all else goes torch's way. Gradients need not be
    taken: activations that are computed twice have to drop the same.
    """
    attending = _Attending()
    before = ALL_ATTENTION_FUNCTIONS[_REPLACED]
    ALL_ATTENTION_FUNCTIONS[_REPLACED] = attending
    try:
        yield
    finally:
        ALL_ATTENTION_FUNCTIONS[_REPLACED] = before


class _Attending:
    """Attends as transformers asks its attention functions to; keeps the bias that the last layer made."""

    def __init__(self) -> None:
        self._made_of: tuple[Tensor | None, Tensor | None] = (None, None)
        self._bias: Tensor | None = None

    def __call__(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        position_bias: Tensor | None = None,
        **more: Any,
    ) -> tuple[Tensor, None]:
        if not _is_served(module, query, key, attention_mask, dropout, more):
            said: tuple[Tensor, None] = sdpa_attention_forward(
                module,
                query,
                key,
                value,
                attention_mask,
                dropout=dropout,
                scaling=scaling,
                position_bias=position_bias,
                **more,
            )
            return said
        by = query.shape[-1] ** -0.5 if scaling is None else scaling
        attended = attend_dropped(query, key, value, self._biased(attention_mask, position_bias), by, dropout)
        return attended.transpose(1, 2).contiguous(), None

    def _biased(self, mask: Tensor | None, position: Tensor | None) -> Tensor | None:
        """What is added to scores; layers that follow one another ask for the same."""
        if mask is None or mask.dtype != torch.bool:
            return position if mask is None else mask if position is None else mask + position
        if position is not None and position.requires_grad:
            return torch.where(mask, position, _HIDDEN)
        if self._made_of[0] is not mask or self._made_of[1] is not position:
            shown = torch.zeros((), device=mask.device) if position is None else position
            self._made_of, self._bias = (mask, position), torch.where(mask, shown, _HIDDEN)
        return self._bias


def _is_served(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    dropout: float,
    more: dict[str, Any],
) -> bool:
    if dropout == 0 or query.device.type != "cpu" or query.dtype != torch.float32:
        return False
    if more.get("cache") is not None or more.get("softcap") is not None or key.shape[1] != query.shape[1]:
        return False
    hides_what_follows = more.get("is_causal", getattr(module, "is_causal", False)) and query.shape[2] > 1
    return mask is not None or not hides_what_follows


def attend_dropped(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scaling: float, chance: float
) -> Tensor:
    """Attention some of whose shares are dropped: (B, H, T, D).

    Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1, with dropout after the softmax.

    Args:
        query: (B, H, T, D).
        key: (B, H, N, D).
        value: (B, H, N, D).
        bias: added to the scaled scores, broadcast to (B, H, T, N).
        scaling: of the scores.
        chance: of a share to be dropped, over 0 and under 1.
    """
    attended: Tensor = _Dropped.apply(query, key, value, bias, scaling, chance)  # type: ignore[no-untyped-call]
    return attended


class _Dropped(torch.autograd.Function):
    """Keeps shares and what was dropped of them, and nothing else of their size."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None,
        scaling: float,
        chance: float,
    ) -> Tensor:
        # Heads lie between the numbers of a token; six products would each take them apart again.
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        scores = query @ key.transpose(2, 3)
        if scaling != 1:
            scores.mul_(scaling)
        if bias is not None:
            scores.add_(bias)
        shares = scores.softmax(dim=-1)
        factors = kept(shares, chance)
        ctx.save_for_backward(query, key, value, shares, factors)
        ctx.scaling, ctx.bias = scaling, None if bias is None else bias.shape
        return (shares * factors) @ value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None, None, None]:
        query, key, value, shares, factors = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_values = (shares * factors).transpose(2, 3) @ gradient
        of_shares = (gradient @ value.transpose(2, 3)).mul_(factors)
        of_scores = getattr(torch.ops.aten, _OF_SOFTMAX)(of_shares, shares, -1, shares.dtype)
        of_bias = of_scores.sum_to_size(ctx.bias).clone() if ctx.needs_input_grad[3] else None
        if ctx.scaling != 1:
            of_scores.mul_(ctx.scaling)
        return of_scores @ key, of_scores.transpose(2, 3) @ query, of_values, of_bias, None, None
