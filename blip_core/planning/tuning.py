"""What a step of tuning takes, and what the vision tower takes before it.

B: rows, L: tokens of the prompt with image tokens, T: tokens of the target.
"""

import copy
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from blip_core.modeling.adapter_targets import VISION_TOWER, tunes_vision_tower
from blip_core.modeling.adapters import attach_adapter
from blip_core.modeling.elements import quick_elements
from blip_core.modeling.features import image_features, prompt_embeddings
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.recomputing import compute_activations_twice
from blip_core.modeling.text import TokenBatch
from blip_core.planning.footprint import Footprint
from blip_core.planning.live_bytes import AsOn, LiveBytes, Where
from blip_core.planning.meta_blip2 import (
    META,
    instructions_of,
    load_on_meta,
    states_of,
    token_ids,
    weights_bytes,
)
from blip_core.recipes.finetune import Finetune

ADAM_STATES = 2  # first and second moment of every trained weight, in its own type (Kingma and Ba, 2015)


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows of one pass: how many, tokens of the longest text and of the longest target."""

    rows: int
    text_tokens: int
    target_tokens: int


def encode(config: Any, settings: Finetune, rows: int, where: Where) -> Footprint:
    """What a batch of pictures takes in the vision tower, the whole model being loaded."""
    bundle = load_on_meta(config, settings.quantisation, settings.base.dtype)
    with torch.no_grad(), AsOn(where, padded=False), LiveBytes(bundle.model) as live:
        see(bundle, rows)
    return Footprint(weights_bytes(bundle.model), 0, live.peak, live.work)


def see(bundle: Blip2Bundle, rows: int) -> Tensor:
    """Run the vision tower on pictures without content: (B, P, V)."""
    blip2 = bundle.blip2
    side = blip2.config.vision_config.image_size
    dtype = blip2.language_projection.weight.dtype
    pixels = torch.empty(rows, 3, side, side, dtype=dtype, device=META)
    states: Tensor = blip2.vision_model(pixel_values=pixels).last_hidden_state
    return states


def tune(config: Any, settings: Finetune, batch: TrainingRows, where: Where) -> Footprint:
    """What one pass forward and backward takes, with optimiser states and gradients.

    Args:
        config: of the BLIP-2.
        settings: what is tuned and how.
        batch: rows of one pass at their longest.
        where: what attention is computed by.

    Raises:
        RecipeError: The adapter names modules that it cannot sit on.
    """
    bundle = tuned_on_meta(config, settings)
    fresh = settings.features == "fresh"
    accumulates = batch.rows < settings.batch_size
    trained = [weight for weight in bundle.model.parameters() if weight.requires_grad]
    moments = ADAM_STATES * sum(weight.numel() * weight.element_size() for weight in trained)
    bundle.model.train()
    _checkpoint_activations(bundle, settings.gradient_checkpointing, where)
    elements = quick_elements(bundle.model) if where == "cpu" else nullcontext()
    with LiveBytes(bundle.model) as live, AsOn(where), elements:
        if accumulates:
            _have_gradients(trained)
        with live.part() as reading:
            loss = _loss(bundle, batch, where, fresh)
        forward = reading()
        torch.autograd.backward(loss)
    without = () if fresh else (VISION_TOWER,)
    return Footprint(weights_bytes(bundle.blip2, without), moments, live.peak, live.work, forward)


def tuned_on_meta(config: Any, settings: Finetune) -> Blip2Bundle:
    """A BLIP-2 with its adapter, as it is tuned: with little of its vision tower where that does not run."""
    if settings.features == "cached":
        config = copy.deepcopy(config)
        config.vision_config.num_hidden_layers = 1
    bundle = load_on_meta(config, settings.quantisation, settings.base.dtype)
    with META:
        return attach_adapter(bundle, settings.adapter, seed=0)


def _have_gradients(trained: list[nn.Parameter]) -> None:
    for weight in trained:
        weight.grad = torch.zeros_like(weight)


def _checkpoint_activations(bundle: Blip2Bundle, on: bool, where: Where) -> None:
    if not on:
        return
    # What is computed again is computed inside the backward pass, where the mode around it does not reach.
    compute_activations_twice(bundle.blip2.language_model, context_fn=lambda: (nullcontext(), AsOn(where)))


def _loss(bundle: Blip2Bundle, batch: TrainingRows, where: Where, fresh: bool) -> Tensor:
    """The mean of the rows' mean cross-entropies, as the learner computes it."""
    with AsOn(where, padded=False):
        if fresh:
            with nullcontext() if tunes_vision_tower(bundle.model) else torch.no_grad():
                states = see(bundle, batch.rows)
        else:
            states = states_of(bundle, batch.rows)
        asked = instructions_of(bundle, batch.rows, batch.text_tokens)
        features = image_features(bundle, states, asked)
    logits, labels = _logits(bundle, batch, features)
    del features
    losses = cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return losses.sum(dim=1).mean()


def _logits(bundle: Blip2Bundle, batch: TrainingRows, features: Tensor) -> tuple[Tensor, Tensor]:
    language_model = bundle.blip2.language_model
    read = bundle.query_count + batch.text_tokens
    if bundle.is_causal:  # it reads prompt and target in one row
        read += batch.target_tokens
    ids = token_ids(batch.rows, read)
    mask, labels = torch.ones_like(ids), token_ids(batch.rows, batch.target_tokens)
    inputs = {
        "inputs_embeds": prompt_embeddings(bundle, TokenBatch(ids, mask), features),
        "attention_mask": mask,
        "use_cache": False,
    }
    if not bundle.is_causal:
        return language_model(**inputs, decoder_input_ids=labels.clone()).logits.float(), labels
    positions = token_ids(batch.rows, read)
    output = language_model(**inputs, position_ids=positions, logits_to_keep=batch.target_tokens + 1)
    return output.logits.float()[:, :-1], labels
