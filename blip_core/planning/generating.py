"""Language models that write, alone or about pictures: what a batch takes, prompt and text at their longest.

Of a text only its first and its last token are traced: the first fills the cache of keys and values, the last
finds it full. Time counts every token as the last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlavaForConditionalGeneration

from blip_core.backends.sampling import Sampling, SeededSampler
from blip_core.planning.footprint import Footprint, parameter_bytes
from blip_core.planning.live_bytes import AsOn, LiveBytes, Where, Work
from blip_core.planning.meta_blip2 import DTYPES, META, token_ids


@dataclass(frozen=True, slots=True)
class Texts:
    """A batch of texts: rows, tokens of the longest prompt, tokens that are written at the most."""

    rows: int
    prompt_tokens: int
    new_tokens: int


def write(config: Any, dtype: str, texts: Texts, sampling: Sampling, where: Where) -> Footprint:
    """What a batch of a chat model takes."""
    with META:
        model = AutoModelForCausalLM.from_config(config)
    model = _ready(model, dtype)

    def first() -> Any:
        ids = token_ids(texts.rows, texts.prompt_tokens)
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True, logits_to_keep=1)

    def last(cache: Any, ids: Tensor, mask: Tensor) -> Any:
        return model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True)

    return _trace(model, texts, sampling, where, first, last)


def label(config: Any, dtype: str, texts: Texts, sampling: Sampling, where: Where) -> Footprint:
    """What a batch of a LLaVA takes; a prompt's tokens count those of its picture."""
    with META:
        model = LlavaForConditionalGeneration(config)
    model = _ready(model, dtype)
    side = config.vision_config.image_size

    def first() -> Any:
        pixels = torch.empty(texts.rows, 3, side, side, dtype=model.dtype, device=META)
        seen = model.get_image_features(pixel_values=pixels)
        ids = token_ids(texts.rows, texts.prompt_tokens)
        embeddings = model.get_input_embeddings()(ids)
        places = (ids == config.image_token_index).unsqueeze(-1)
        features = torch.cat(tuple(seen.pooler_output), dim=0).to(embeddings.dtype)
        filled = embeddings.masked_scatter(places, features)
        del pixels, seen, features, embeddings
        return _language(model, filled, torch.ones_like(ids), None)

    def last(cache: Any, ids: Tensor, mask: Tensor) -> Any:
        return _language(model, model.get_input_embeddings()(ids), mask, cache)

    return _trace(model, texts, sampling, where, first, last)


def picture_tokens(config: Any) -> int:
    """Tokens that a picture takes in a LLaVA's prompt."""
    vision = config.vision_config
    whole = int((vision.image_size // vision.patch_size) ** 2)
    return whole if config.vision_feature_select_strategy == "default" else whole + 1


def _language(model: Any, embeddings: Tensor, mask: Tensor, cache: Any) -> Any:
    output = model.model.language_model(
        inputs_embeds=embeddings, attention_mask=mask, past_key_values=cache, use_cache=True
    )
    output.logits = model.lm_head(output.last_hidden_state[:, -1:])
    return output


def _ready(model: nn.Module, dtype: str) -> Any:
    return model.to(DTYPES[dtype]).eval().requires_grad_(False)


def _trace(
    model: nn.Module,
    texts: Texts,
    sampling: Sampling,
    where: Where,
    first: Callable[[], Any],
    last: Callable[[Any, Tensor, Tensor], Any],
) -> Footprint:
    whole = texts.prompt_tokens + texts.new_tokens
    with torch.no_grad(), AsOn(where), LiveBytes(model) as live:
        with live.part() as prompt_work:
            output = first()
            _draw(output, texts, sampling)
        prompted = prompt_work()
        cache = output.past_key_values
        del output
        lengthen(cache, whole - 1)
        with live.part() as token_work:
            ids, mask = token_ids(texts.rows, 1), token_ids(texts.rows, whole)
            _draw(last(cache, ids, mask), texts, sampling)
        written = token_work()
    return Footprint(parameter_bytes([model]), 0, live.peak, prompted + written * texts.new_tokens)


def lengthen(cache: Any, tokens: int) -> None:
    """Let a cache of keys and values be as long as it is after so many tokens; one with none stays so."""
    for layer in cache.layers:
        keys, values = layer.keys, layer.values
        layer.keys = keys.new_empty(*keys.shape[:2], tokens, keys.shape[3])
        layer.values = values.new_empty(*values.shape[:2], tokens, values.shape[3])


def _draw(output: Any, texts: Texts, sampling: Sampling) -> Work | None:
    scores = output.logits[:, -1, :].to(torch.float32, copy=True)
    if sampling.temperature > 0:
        seeds = [0] * texts.rows
        scores = SeededSampler(seeds, sampling)(token_ids(texts.rows, texts.prompt_tokens), scores)
    scores.argmax(dim=-1)
    return None
