"""An OPT that reads prompts and writes on from their last token.

What modules of transformers compute, through the very modules that hold the weights; see `t5_reading`.
Zhang et al., "OPT: Open Pre-trained Transformer Language Models", 2022.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from blip_core.inference.attending import LayerCache, added, attend, causal_bias, pad_bias, split_heads
from blip_core.inference.branching import branched


class OptReader:
    """Prompts that an OPT has read, padded on the left; their keys and values are held.

    Args:
        model: the OPT.
        embeddings: (B, L, D) of the prompts.
        attention_mask: (B, L), 0 on pads.
        room: most tokens that will be added.
    """

    def __init__(self, model: Any, embeddings: Tensor, attention_mask: Tensor, room: int) -> None:
        self._model = model
        self._room = room
        self._embeddings, self._mask = embeddings, attention_mask
        self.places = attention_mask.numel()
        everything = torch.cat([attention_mask, attention_mask.new_ones(len(attention_mask), room)], dim=1)
        self._pad_bias = pad_bias(everything, embeddings.dtype)
        self._caches: list[LayerCache] = []
        # A pad has no position of its own; transformers gives it the one before the first.
        positions = attention_mask.cumsum(dim=1) * attention_mask - 1
        states = self._run(embeddings, positions)
        self.first_logits: Tensor = model.lm_head(states[:, -1:])[:, 0]

    def step(self, tokens: Tensor) -> Tensor:
        embeddings = self._model.model.decoder.embed_tokens(tokens)
        positions = self._next_positions + torch.arange(tokens.shape[1], device=tokens.device)
        logits: Tensor = self._model.lm_head(self._run(embeddings, positions))
        return logits

    def _run(self, embeddings: Tensor, positions: Tensor) -> Tensor:
        decoder = self._model.model.decoder
        self._next_positions = positions[:, -1:] + 1
        states = embeddings if decoder.project_in is None else decoder.project_in(embeddings)
        states = states + decoder.embed_positions(positions, position_ids=positions)
        bias = self._bias(states)
        for number, layer in enumerate(decoder.layers):
            states = self._attend(layer, number, states, bias)
            states = _feed_forward(layer, states)
        states = states if decoder.final_layer_norm is None else decoder.final_layer_norm(states)
        return states if decoder.project_out is None else decoder.project_out(states)

    def _bias(self, states: Tensor) -> Tensor | None:
        """What each of the new tokens may not see: pads, and tokens after it."""
        asked = states.shape[1]
        seen = asked + (self._caches[0].length if self._caches else 0)
        pads = None if self._pad_bias is None else self._pad_bias[..., :seen]
        return added(pads, causal_bias(asked, seen, states.dtype, states.device))

    def _attend(self, layer: Any, number: int, states: Tensor, bias: Tensor | None) -> Tensor:
        attention, before = layer.self_attn, layer.do_layer_norm_before
        normed = layer.self_attn_layer_norm(states) if before else states
        query = split_heads(attention.q_proj(normed) * attention.scaling, attention.head_dim)
        keys = split_heads(attention.k_proj(normed), attention.head_dim)
        values = split_heads(attention.v_proj(normed), attention.head_dim)
        if number == len(self._caches):
            self._caches.append(LayerCache(keys, values, self._room))
        else:
            keys, values = self._caches[number].add(keys, values)
        states = states + attention.out_proj(attend(query, keys, values, bias))
        return states if before else layer.self_attn_layer_norm(states)

    def keep(self, rows: Tensor) -> None:
        self._caches = [cache.pick(rows) for cache in self._caches]
        self._embeddings, self._mask = self._embeddings[rows], self._mask[rows]
        self._pad_bias = None if self._pad_bias is None else self._pad_bias[rows]
        self._next_positions, self.first_logits = self._next_positions[rows], self.first_logits[rows]

    def branch(self, times: Sequence[int]) -> "OptReader":
        return branched(self, times)

    def generation_inputs(self) -> dict[str, Any]:
        """Beams fork at the first token: they read the prompt themselves."""
        return {"inputs_embeds": self._embeddings, "attention_mask": self._mask}


def _feed_forward(layer: Any, states: Tensor) -> Tensor:
    before = layer.do_layer_norm_before
    normed = layer.final_layer_norm(states) if before else states
    states = states + layer.fc2(layer.activation_fn(layer.fc1(normed)))
    return states if before else layer.final_layer_norm(states)
