"""A T5 that reads prompts with its encoder and writes with its decoder.

What modules of transformers compute, through the very modules that hold the weights (quantised, adapted or
neither), without what their loops spend on every token: masks, caches that grow, hooks.
Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import NewGELUActivation
from transformers.modeling_outputs import BaseModelOutput

from blip_core.inference.attending import (
    LayerCache,
    added,
    attend,
    attend_unprojected,
    causal_bias,
    pad_bias,
    split_heads,
)
from blip_core.inference.branching import branched
from blip_core.modeling.at_once import rows_at_once
from blip_core.modeling.multiplying import multiply_by, multiply_gelu


class T5Reader:
    """Prompts that a T5 has read: its encoder ran once, its decoder goes on from there.

    Args:
        model: the T5.
        embeddings: (B, L, D) of the prompts, padded on the right.
        attention_mask: (B, L), 0 on pads.
        room: most tokens that will be added.
    """

    def __init__(self, model: Any, embeddings: Tensor, attention_mask: Tensor, room: int) -> None:
        self._model = model
        self._mask = attention_mask
        self._pad_bias = pad_bias(attention_mask, embeddings.dtype)
        self._encoded, self.places = encode_rows(model.encoder, embeddings, attention_mask, self._pad_bias)
        heads = (len(embeddings), model.config.num_heads, 0, model.config.d_kv)
        empty = embeddings.new_empty(heads)
        blocks = model.decoder.block
        self._own = [LayerCache(empty, empty, room + 1) for _ in blocks]
        self._attentions = [block.layer[1].EncDecAttention for block in blocks]
        self._cross: list[tuple[Tensor, Tensor]] | None = None
        if not all(_is_whole(projection) for each in self._attentions for projection in (each.k, each.v)):
            self._project_prompt()
        self._position_bias = _position_bias(model.decoder, room + 1)
        begin = model.config.decoder_start_token_id
        start = torch.full((len(embeddings), 1), begin, device=embeddings.device)
        self.first_logits = self._decode(start)[:, 0]

    def step(self, tokens: Tensor) -> Tensor:
        self._project_prompt()
        return self._decode(tokens)

    def _project_prompt(self) -> None:
        """Keys and values of the prompt serve all steps but the first, which costs less without them."""
        if self._cross is None:
            self._cross = [_cross_states(attention, self._encoded) for attention in self._attentions]

    def _decode(self, tokens: Tensor) -> Tensor:
        decoder = self._model.decoder
        states = decoder.embed_tokens(tokens)
        bias = self._own_bias(states)
        for layer, (block, own) in enumerate(zip(decoder.block, self._own, strict=True)):
            states = _attend_to_own(block.layer[0], states, bias, own)
            states = self._attend_to_prompt(block.layer[1], states, layer)
            states = _feed_forward(block.layer[2], states)
        states = decoder.final_layer_norm(states)
        if self._model.config.scale_decoder_outputs:
            states = states * self._model.model_dim**-0.5
        logits: Tensor = self._model.lm_head(states)
        return logits

    def _own_bias(self, states: Tensor) -> Tensor | None:
        """What the distance of the new tokens to each other and to those before adds to their scores."""
        before, asked = self._own[0].length, states.shape[1]
        seen = before + asked
        places = self._position_bias[:, :, before:seen, :seen]
        return added(places, causal_bias(asked, seen, states.dtype, states.device))

    def _attend_to_prompt(self, block: Any, states: Tensor, layer: int) -> Tensor:
        attention = block.EncDecAttention
        query = split_heads(attention.q(block.layer_norm(states)), attention.key_value_proj_dim)
        if self._cross is None:
            weights = attention.k.weight, attention.v.weight
            attended = attend_unprojected(query, self._encoded, *weights, self._pad_bias)
        else:
            attended = attend(query, *self._cross[layer], self._pad_bias)
        return _finite(states + attention.o(attended))

    def keep(self, rows: Tensor) -> None:
        self._own = [cache.pick(rows) for cache in self._own]
        if self._cross is not None:
            self._cross = [(keys[rows], values[rows]) for keys, values in self._cross]
        self._encoded, self._mask = self._encoded[rows], self._mask[rows]
        self._pad_bias = None if self._pad_bias is None else self._pad_bias[rows]
        self.first_logits = self.first_logits[rows]

    def branch(self, times: Sequence[int]) -> "T5Reader":
        self._project_prompt()
        return branched(self, times)

    def generation_inputs(self) -> dict[str, Any]:
        outputs = BaseModelOutput(last_hidden_state=self._encoded)
        return {"encoder_outputs": outputs, "attention_mask": self._mask}


def encode_rows(
    encoder: Any, embeddings: Tensor, attention_mask: Tensor, bias: Tensor | None
) -> tuple[Tensor, int]:
    """Run a T5's encoder over rows that are padded on the right.

    A GPU takes them all at once. A CPU takes rows of one length, a few at a time: it computes no pads, and
    what it works on stays in its caches.

    Args:
        encoder: the encoder.
        embeddings: of the prompts.
        attention_mask: (B, L), 0 on pads.
        bias: (B, 1, 1, L) that hides pads, or None.

    Returns:
        (B, L, D), where a CPU leaves 0 on pads; and the places that the encoder ran on.
    """
    if embeddings.device.type != "cpu":
        return encode(encoder, embeddings, bias), attention_mask.numel()
    encoded, places = torch.zeros_like(embeddings), 0
    lengths = attention_mask.sum(dim=1)
    for length in lengths.unique().tolist():
        for rows in (lengths == length).nonzero()[:, 0].split(rows_at_once(length)):
            part = encode(encoder, embeddings[rows, :length], None)
            encoded[rows, :length] = part
            places += part.shape[0] * part.shape[1]
    return encoded, places


def encode(encoder: Any, embeddings: Tensor, bias: Tensor | None) -> Tensor:
    """Run a T5's encoder: (B, L, D) -> (B, L, D).

    Args:
        encoder: the encoder.
        embeddings: of the prompts.
        bias: (B, 1, 1, L) that hides pads, or None.
    """
    seen = added(_position_bias(encoder, embeddings.shape[1]).to(embeddings.dtype), bias)
    states = embeddings
    for block in encoder.block:
        states = _attend_to_own(block.layer[0], states, seen)
        states = _feed_forward(block.layer[1], states)
    encoded: Tensor = encoder.final_layer_norm(states)
    return encoded


def _position_bias(stack: Any, length: int) -> Tensor:
    """(1, H, length, length): what the distance of two tokens adds to a score, the same in all layers."""
    attention = stack.block[0].layer[0].SelfAttention
    bias: Tensor = attention.compute_bias(length, length)
    return bias.contiguous()


def _cross_states(attention: Any, encoded: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values (B, H, L, D) of the prompt, the same at every step."""
    width = attention.key_value_proj_dim
    keys, values = split_heads(attention.k(encoded), width), split_heads(attention.v(encoded), width)
    return keys.contiguous(), values.contiguous()


def _is_whole(projection: Any) -> bool:
    """Whether a projection is a matrix alone, in float32, where the order of products changes last bits."""
    return (
        type(projection) is nn.Linear and projection.bias is None and projection.weight.dtype == torch.float32
    )


def _attend_to_own(
    layer: Any, states: Tensor, bias: Tensor | None, cache: LayerCache | None = None
) -> Tensor:
    attention, normed = layer.SelfAttention, layer.layer_norm(states)
    width = attention.key_value_proj_dim
    query, keys, values = (
        split_heads(projection(normed), width) for projection in (attention.q, attention.k, attention.v)
    )
    if cache is not None:
        keys, values = cache.add(keys, values)
    return _finite(states + attention.o(attend(query, keys, values, bias)))


def _feed_forward(layer: Any, states: Tensor) -> Tensor:
    dense, normed = layer.DenseReluDense, layer.layer_norm(states)
    if hasattr(dense, "wi"):
        inner = _activated(dense.wi, normed, dense.act)
    else:
        inner = multiply_by(dense.wi_1, normed, _activated(dense.wi_0, normed, dense.act))
    return _finite(states + dense.wo(inner.to(dense.wo.weight.dtype)))


def _activated(linear: Any, states: Tensor, activation: Any) -> Tensor:
    """Flan's GELU in one pass instead of eight over the widest states there are."""
    if isinstance(activation, NewGELUActivation):
        return multiply_gelu(linear, states, "tanh")
    activated: Tensor = activation(linear(states))
    return activated


def _finite(states: Tensor) -> Tensor:
    """A T5 overflows in float16, and transformers clamps it there."""
    if states.dtype != torch.float16:
        return states
    largest = torch.finfo(states.dtype).max
    return states.clamp(-largest, largest)
