"""Attention over keys and values that have room for what is still to come.

B: rows, H: heads, T: tokens asked about, N: tokens attended to, D: width of a head, W: width of the model.
"""

import torch
from torch import Tensor
from torch.nn import functional


def attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """Attention without scaling: query (B, H, T, D) over keys and values (B, H, N, D) gives (B, T, H * D).

    Args:
        query: what is asked, scaled as its model wants it.
        keys: what is attended to.
        values: what is taken from there.
        bias: added to the scores, broadcast to (B, H, T, N); None where all is seen.
    """
    if _is_cheaper_in_steps(query):
        scores = query @ keys.transpose(2, 3)
        attended = (scores if bias is None else scores + bias).softmax(dim=-1) @ values
    else:
        attended = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=1.0)
    return attended.transpose(1, 2).flatten(2)


def attend_unprojected(
    query: Tensor, states: Tensor, key_weight: Tensor, value_weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Attention of one token a row to states that have no keys and values yet: (B, 1, H * D).

    With keys K = X W_k' a score q K' is also (q W_k) X', and what is taken, p (X W_v'), is also (p X) W_v'.
    So the query and what is taken are projected, one token each, and not the N states X; worth it where
    nothing else asks about them.

    Args:
        query: (B, H, 1, D), scaled as its model wants it.
        states: (B, N, W) that are attended to.
        key_weight: (H * D, W) of the projection to keys.
        value_weight: (H * D, W) of the projection to values.
        bias: (B, 1, 1, N), added to the scores; None where all is seen.
    """
    by_head = query.shape[1], query.shape[3]
    asked = torch.einsum("bhd,hdw->bhw", query[:, :, 0], key_weight.unflatten(0, by_head))
    scores = asked @ states.transpose(1, 2)
    shares = (scores if bias is None else scores + bias[:, 0]).softmax(dim=-1)
    taken = torch.einsum("bhw,hdw->bhd", shares @ states, value_weight.unflatten(0, by_head))
    return taken.flatten(1)[:, None]


def _is_cheaper_in_steps(query: Tensor) -> bool:
    """For one token a row the fused kernel of CPUs takes half as long again; in float32 both say the same."""
    return query.shape[2] == 1 and query.device.type == "cpu" and query.dtype == torch.float32


def pad_bias(attention_mask: Tensor, dtype: torch.dtype) -> Tensor | None:
    """A bias (B, 1, 1, N) that hides pads; None where there are none."""
    if bool(attention_mask.all()):
        return None
    return hide(attention_mask[:, None, None] == 0, dtype)


def causal_bias(asked: int, seen: int, dtype: torch.dtype, device: torch.device) -> Tensor | None:
    """A bias (1, 1, T, N) under which the last T of N tokens see none after them; None for one token."""
    if asked == 1:
        return None
    later = torch.ones(asked, seen, dtype=torch.bool, device=device).triu(diagonal=seen - asked + 1)
    return hide(later[None, None], dtype)


def hide(places: Tensor, dtype: torch.dtype) -> Tensor:
    """A bias that hides places. Half of the lowest number: two such biases add up to a number still."""
    bias = torch.zeros(places.shape, dtype=dtype, device=places.device)
    return bias.masked_fill(places, torch.finfo(dtype).min / 2)


def added(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """The sum of two biases, either of which may be None."""
    if first is None or second is None:
        return second if first is None else first
    return first + second


class LayerCache:
    """Keys and values of one layer, with room from the start for all that will come.

    The cache that transformers takes by default copies all it holds at every token; its static one attends to
    room that is still empty. This one copies nothing and attends to what is filled.

    Args:
        keys: (B, H, N, D) that are there already; N may be 0.
        values: as many.
        room: tokens that may follow.
    """

    def __init__(self, keys: Tensor, values: Tensor, room: int) -> None:
        self.length = keys.shape[2]
        self._keys, self._values = _with_room(keys, room), _with_room(values, room)

    def add(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values (B, H, T, D); gives all that are held."""
        start, self.length = self.length, self.length + keys.shape[2]
        self._keys[:, :, start : self.length] = keys
        self._values[:, :, start : self.length] = values
        return self._keys[:, :, : self.length], self._values[:, :, : self.length]

    def pick(self, rows: Tensor) -> "LayerCache":
        """The cache of some rows, in the order given; a row may come more than once."""
        picked = object.__new__(LayerCache)
        picked.length, picked._keys, picked._values = self.length, self._keys[rows], self._values[rows]
        return picked


def _with_room(states: Tensor, room: int) -> Tensor:
    rows, heads, length, width = states.shape
    roomy = states.new_empty(rows, heads, length + room, width)
    roomy[:, :, :length] = states
    return roomy


def split_heads(states: Tensor, width: int) -> Tensor:
    """(B, T, H * D) to (B, H, T, D)."""
    parted: Tensor = states.unflatten(-1, (-1, width))
    return parted.transpose(1, 2)
