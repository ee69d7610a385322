"""From the row-by-row way to ours, one change a step: where the speed comes from.

All texts are written by transformers' own `generate`. Every rung gives the same answers; only what is done
together, and how often, changes. T5 only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from blip_core.inference.generating import generation_config
from blip_core.inference.predicting import ANSWER_TOKENS
from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.modeling import Blip2Bundle
from blip_core.modeling.features import (
    decode_picture,
    distinct_pictures,
    image_features,
    picture_key,
    prompt_embeddings,
    vision_states,
)
from blip_core.modeling.text import letter_ids, pad_prompts, prompt_ids
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to answer.

    Attributes:
        what: it is, in words.
        batch_size: rows together.
        encodes_once: whether a picture is encoded once, and not for every call.
        sorts: whether rows of like length stand together.
        ranks: whether letters are ranked in one pass, and not written.
        static_cache: whether the cache of a text is as long as the longest text from the start.
    """

    what: str
    batch_size: int = 1
    encodes_once: bool = False
    sorts: bool = False
    ranks: bool = False
    static_cache: bool = False


def ladder(batch_size: int) -> list[Rung]:
    """One change a rung."""
    batched = partial(Rung, batch_size=batch_size, encodes_once=True)
    return [
        Rung("row by row, letters written"),
        Rung("each picture encoded once", encodes_once=True),
        batched(f"{batch_size} rows a batch"),
        batched("rows of like length together", sorts=True),
        batched("letters ranked, not written", sorts=True, ranks=True),
        batched("static cache", sorts=True, ranks=True, static_cache=True),
    ]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a row: a description, and a letter or a free answer."""

    description: str
    answer: str


@torch.inference_mode()
def answer_by(
    rung: Rung, bundle: Blip2Bundle, examples: Sequence[Example], settings: Inference
) -> list[Said]:
    """Describe and answer in the way of a rung."""
    bundle.model.eval()
    kept = _encode(bundle, examples, rung.batch_size) if rung.encodes_once else None
    prompts = [describe_prompt(settings, example) for example in examples]
    described = _write(rung, bundle, examples, prompts, kept, settings.max_new_tokens)
    prompts = [answer_prompt(settings, *pair) for pair in zip(examples, described, strict=True)]
    if rung.ranks:
        answers = _rank(rung, bundle, examples, prompts, kept)
    else:
        answers = _write(rung, bundle, examples, prompts, kept, ANSWER_TOKENS)
    return [Said(*pair) for pair in zip(described, answers, strict=True)]


_Kept = dict[str, Tensor] | None


def _encode(bundle: Blip2Bundle, examples: Sequence[Example], batch_size: int) -> dict[str, Tensor]:
    found = list(distinct_pictures(examples).items())
    kept: dict[str, Tensor] = {}
    for at in range(0, len(found), batch_size):
        part = found[at : at + batch_size]
        states = vision_states(bundle, [decode_picture(example) for _, example in part])
        kept.update(zip((key for key, _ in part), image_features(bundle, states), strict=True))
    return kept


def _batches(rung: Rung, prompts: Sequence[list[int]]) -> list[list[int]]:
    order = list(range(len(prompts)))
    if rung.sorts:
        order.sort(key=lambda index: len(prompts[index]))
    return [order[at : at + rung.batch_size] for at in range(0, len(order), rung.batch_size)]


def _read(
    bundle: Blip2Bundle, examples: Sequence[Example], prompts: Sequence[list[int]], kept: _Kept
) -> dict[str, Any]:
    features = kept if kept is not None else _encode(bundle, examples, len(examples))
    rows = pad_prompts(bundle, prompts).to(bundle.device)
    pictures = torch.stack([features[picture_key(example.image)] for example in examples])
    return {
        "inputs_embeds": prompt_embeddings(bundle, rows, pictures),
        "attention_mask": rows.attention_mask,
    }


def _write(
    rung: Rung,
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    texts: Sequence[str],
    kept: _Kept,
    max_new_tokens: int,
) -> list[str]:
    config = generation_config(bundle, max_new_tokens)
    if rung.static_cache:
        config.cache_implementation = "static"
        config.disable_compile = True
    prompts = [prompt_ids(bundle, text) for text in texts]
    written = [""] * len(prompts)
    for batch in _batches(rung, prompts):
        inputs = _read(bundle, [examples[i] for i in batch], [prompts[i] for i in batch], kept)
        tokens = bundle.blip2.language_model.generate(**inputs, generation_config=config)
        decoded = bundle.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        for index, text in zip(batch, decoded, strict=True):
            written[index] = text.strip()
    return written


def _rank(
    rung: Rung, bundle: Blip2Bundle, examples: Sequence[Example], texts: Sequence[str], kept: _Kept
) -> list[str]:
    prompts = [prompt_ids(bundle, text) for text in texts]
    start = bundle.blip2.language_model.config.decoder_start_token_id
    ranked = [""] * len(prompts)
    for batch in _batches(rung, prompts):
        inputs = _read(bundle, [examples[i] for i in batch], [prompts[i] for i in batch], kept)
        first = torch.full((len(batch), 1), start, device=bundle.device)
        logits = bundle.blip2.language_model(**inputs, decoder_input_ids=first, use_cache=False).logits[:, 0]
        for index, best in zip(batch, logits[:, letter_ids(bundle)].argmax(dim=-1).tolist(), strict=True):
            ranked[index] = LETTERS[best]
    return ranked
