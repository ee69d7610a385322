"""A decoder that reads prompts and writes on from their last token, through its own forward pass.

Any language model of transformers that takes a cache and positions will do, whatever its attention; an OPT,
which is asked for often, has a reader of its own in `opt_reading`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from blip_core.inference.branching import branched
from blip_core.modeling.text import text_positions


class CausalReader:
    """Prompts that a decoder has read, padded on the left; their keys and values are held.

    Args:
        model: the language model.
        embeddings: (B, L, D) of the prompts.
        attention_mask: (B, L), 0 on pads.
    """

    def __init__(self, model: Any, embeddings: Tensor, attention_mask: Tensor) -> None:
        self._model = model
        self._embeddings, self._prompt_mask = embeddings, attention_mask
        self._mask = attention_mask
        self._cache = DynamicCache()
        self.places = attention_mask.numel()
        positions = text_positions(attention_mask)
        self._next_positions = positions[:, -1:] + 1
        self.first_logits = self._run({"inputs_embeds": embeddings}, positions, wanted=1)[:, 0]

    def step(self, tokens: Tensor) -> Tensor:
        asked = tokens.shape[1]
        positions = self._next_positions + torch.arange(asked, device=tokens.device)
        self._next_positions = positions[:, -1:] + 1
        self._mask = torch.cat([self._mask, self._mask.new_ones(tokens.shape)], dim=1)
        return self._run({"input_ids": tokens}, positions, wanted=asked)

    def _run(self, given: dict[str, Tensor], positions: Tensor, wanted: int) -> Tensor:
        """Logits (B, wanted, V) of the last positions."""
        logits: Tensor = self._model(
            **given,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=wanted,
        ).logits
        return logits

    def keep(self, rows: Tensor) -> None:
        self._cache = _picked(self._cache, rows)
        self._embeddings, self._prompt_mask = self._embeddings[rows], self._prompt_mask[rows]
        self._mask, self._next_positions = self._mask[rows], self._next_positions[rows]
        self.first_logits = self.first_logits[rows]

    def branch(self, times: Sequence[int]) -> "CausalReader":
        return branched(self, times)

    def generation_inputs(self) -> dict[str, Any]:
        """Beams fork at the first token: they read the prompt themselves."""
        return {"inputs_embeds": self._embeddings, "attention_mask": self._prompt_mask}


def _picked(cache: DynamicCache, rows: Tensor) -> DynamicCache:
    """The cache of some rows, in the order given; the other stays as it is."""
    picked = DynamicCache()
    for number, layer in enumerate(cache.layers):
        picked.update(layer.keys[rows], layer.values[rows], number)
    return picked
