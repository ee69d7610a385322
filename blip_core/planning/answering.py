"""What a batch of questions takes: pictures seen, descriptions written, letters ranked."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from blip_core.modeling.at_once import CPU_PICTURES, rows_at_once
from blip_core.modeling.features import picture_part, prompt_embeddings, question_part
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.quantisation import Quantisation
from blip_core.modeling.text import TokenBatch
from blip_core.planning.footprint import Footprint
from blip_core.planning.generating import lengthen
from blip_core.planning.live_bytes import AsOn, LiveBytes, Where, Work
from blip_core.planning.meta_blip2 import instructions_of, load_on_meta, token_ids, weights_bytes
from blip_core.planning.tuning import see

PICTURES_AT_HAND = 512  # whose parts stay on the device: those of a shard of answers


@dataclass(frozen=True, slots=True)
class Questions:
    """A batch of questions.

    Attributes:
        rows: questions at once; pictures at once, too.
        pictures: distinct pictures of all questions.
        describe_tokens: of the longest describing prompt; 0 where nothing is described.
        answer_tokens: of the longest answering prompt.
        new_tokens: of the longest description or free answer.
        beams: of a description.
        rankings: how often the answering prompt is read, all modes counted.
    """

    rows: int
    pictures: int
    describe_tokens: int
    answer_tokens: int
    new_tokens: int
    beams: int = 1
    rankings: int = 1


def answer(config: Any, quantisation: Quantisation, dtype: str, asked: Questions, where: Where) -> Footprint:
    """What a variant takes to answer a batch.

    Args:
        config: of its BLIP-2.
        quantisation: of its language model.
        dtype: of all that is not quantised.
        asked: the batch.
        where: what attention is computed by.
    """
    bundle = load_on_meta(config, quantisation, dtype)
    weights = weights_bytes(bundle.model)
    with torch.no_grad(), LiveBytes(bundle.model) as live:
        at_once = min(asked.rows, CPU_PICTURES) if where == "cpu" else asked.rows
        with live.part() as seeing, AsOn(where, padded=False):
            seen = picture_part(bundle, see(bundle, at_once))
        work = seeing() * (asked.rows / at_once)
        kept = seen.new_empty(asked.rows, *seen.shape[1:])
        del seen
        with AsOn(where):
            if asked.describe_tokens:
                work += _write(bundle, asked, kept, live, where)
            with live.part() as ranking:
                _read(bundle, asked.rows, asked.answer_tokens, kept, where)
            work += ranking() * asked.rankings
    one = kept[0].numel() * kept.element_size()
    at_hand = max(min(asked.pictures, PICTURES_AT_HAND) - asked.rows, 0)
    return Footprint(weights, one * at_hand, live.peak, work)


def _embedded(bundle: Blip2Bundle, rows: int, tokens: int, kept: Tensor) -> tuple[Tensor, Tensor]:
    features = question_part(bundle, kept, instructions_of(bundle, rows, tokens))
    ids = token_ids(rows, bundle.query_count + tokens)
    mask = torch.ones_like(ids)
    return prompt_embeddings(bundle, TokenBatch(ids, mask), features), mask


def _read(bundle: Blip2Bundle, rows: int, tokens: int, kept: Tensor, where: Where) -> tuple[Any, Any, Tensor]:
    """Read prompts: cache, encoder states (T5) and mask, and compute the first logits."""
    embeddings, mask = _embedded(bundle, rows, tokens, kept)
    language_model = bundle.blip2.language_model
    if bundle.is_causal:
        states, cache = _causal_states(bundle, {"inputs_embeds": embeddings}, mask, DynamicCache())
        language_model.lm_head(states[:, -1:])
        return cache, None, mask
    encoded = _t5_encoded(language_model.encoder, embeddings, mask, where)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    _t5_step(bundle, rows, cache, encoded, mask)
    return cache, encoded, mask


def _t5_encoded(encoder: Any, embeddings: Tensor, mask: Tensor, where: Where) -> Tensor:
    """States of the encoder, which a CPU works out for a few rows at a time; see `inference.encode_rows`."""
    rows, tokens = mask.shape
    at_once = rows_at_once(tokens) if where == "cpu" else rows
    if at_once >= rows:
        whole: Tensor = encoder(inputs_embeds=embeddings, attention_mask=mask).last_hidden_state
        return whole
    encoded = torch.empty_like(embeddings)
    for first in range(0, rows, at_once):
        part = slice(first, first + at_once)
        encoded[part] = encoder(inputs_embeds=embeddings[part], attention_mask=mask[part]).last_hidden_state
    return encoded


def _t5_step(bundle: Blip2Bundle, rows: int, cache: Any, encoded: Tensor, mask: Tensor) -> None:
    language_model = bundle.blip2.language_model
    states = language_model.decoder(
        input_ids=token_ids(rows, 1),
        encoder_hidden_states=encoded,
        encoder_attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    language_model.lm_head(states)


def _causal_states(
    bundle: Blip2Bundle, inputs: dict[str, Tensor], mask: Tensor, cache: Any
) -> tuple[Tensor, Any]:
    given = next(iter(inputs.values()))
    model = bundle.blip2.language_model.model
    output = (model.decoder if bundle.family == "opt" else model)(
        **inputs,
        attention_mask=mask,
        position_ids=token_ids(*given.shape[:2]),
        past_key_values=cache,
        use_cache=True,
    )
    return output.last_hidden_state, output.past_key_values


def _write(bundle: Blip2Bundle, asked: Questions, kept: Tensor, live: LiveBytes, where: Where) -> Work:
    """Describe: read the prompt, then add tokens one by one; only the first and the last are traced."""
    rows = asked.rows * asked.beams
    seen = kept.repeat_interleave(asked.beams, dim=0) if asked.beams > 1 else kept
    with live.part() as reading:
        cache, encoded, mask = _read(bundle, rows, asked.describe_tokens, seen, where)
    read = reading()
    if bundle.is_causal:
        whole = mask.shape[1] + asked.new_tokens
        lengthen(cache, whole - 1)
        with live.part() as token:
            added = {"input_ids": token_ids(rows, 1)}
            states, _ = _causal_states(bundle, added, token_ids(rows, whole), cache)
            bundle.blip2.language_model.lm_head(states)
        return read + token() * asked.new_tokens
    lengthen(cache.self_attention_cache, max(asked.new_tokens - 1, 1))
    with live.part() as token:
        _t5_step(bundle, rows, cache, encoded, mask)
    return read + token() * asked.new_tokens
