"""Sampling in batches with one seed a row.

`torch.multinomial` draws for a whole batch from one generator, so that a row's text would depend on its
neighbours. Here every row has its own stream of numbers, drawn up front on the CPU, one a token: a row's
tokens depend on its seed and its own logits, and the same seed draws the same numbers on every device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from blip_core.backends.chat.thinking import answer_after, is_mark
from blip_core.errors import CheckpointError
from blip_core.modeling.finite import LogitsWatch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: temperature (0 takes the likeliest), nucleus mass, longest text in tokens."""

    temperature: float
    top_p: float
    max_new_tokens: int


class SeededSampler(LogitsProcessor):
    """Draws each row's token from its own stream, by inverting the distribution function of its nucleus.

    It stands in for sampling in a greedy decode: all scores but the drawn token's become -inf. The nucleus is
    that of Holtzman et al. 2020: the likeliest tokens whose mass reaches `top_p`.

    Args:
        seeds: one a row.
        sampling: its temperature must be above 0.
    """

    def __init__(self, seeds: Sequence[int], sampling: Sampling) -> None:
        streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._draws = torch.stack(
            [torch.rand(sampling.max_new_tokens, generator=stream) for stream in streams]
        )
        self._sampling = sampling
        self._prompt_tokens: int | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Draw a token a row: scores, float32 (rows, vocabulary), come back with one finite entry a row."""
        draw = self._draws[:, self._step(input_ids)].to(scores.device)
        probabilities = torch.softmax(scores / self._sampling.temperature, dim=-1)
        ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        is_beyond = ordered.cumsum(dim=-1) - ordered >= self._sampling.top_p
        is_beyond[:, 0] = False
        mass = ordered.masked_fill(is_beyond, 0.0).cumsum(dim=-1)
        rank = torch.searchsorted(mass, (draw * mass[:, -1])[:, None], right=True)
        last = (~is_beyond).sum(dim=-1, keepdim=True) - 1  # rounding may point one past the nucleus
        chosen = tokens.gather(1, torch.minimum(rank, last))
        return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)

    def _step(self, input_ids: Tensor) -> int:
        """Number of tokens written so far."""
        if self._prompt_tokens is None:
            self._prompt_tokens = input_ids.shape[1]
        return input_ids.shape[1] - self._prompt_tokens


def forget_sampling_defaults(model: Any, tokenizer: Any) -> None:
    """Leave a model nothing but its special tokens to generate with: a recipe names all other settings.

    Checkpoints carry penalties and cut-offs in `generation_config.json` that would otherwise apply unseen. A
    text ends where the model's settings or the tokenizer say: a folder without such settings may know the end
    of a document alone, and a chat ends with a turn.
    """
    own = model.generation_config
    ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
    known = [end for end in dict.fromkeys([*ends, tokenizer.eos_token_id]) if end is not None]
    pad = tokenizer.pad_token_id
    special = {"bos_token_id": own.bos_token_id, "eos_token_id": known or None, "pad_token_id": pad}
    model.generation_config = GenerationConfig.from_dict(special)


def prepare_tokenizer(tokenizer: Any) -> None:
    """Pad on the left, as a decoder-only model goes on from the last token, and have a token to pad with.

    Raises:
        CheckpointError: The tokenizer has none to pad with.
    """
    tokenizer.padding_side = "left"
    tokenizer.clean_up_tokenization_spaces = False  # the library leaves it out by itself, with a warning
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise CheckpointError(
            f"The tokenizer in {tokenizer.name_or_path} names no token that pads and none that ends a text; "
            "rows of different lengths need one: name it in tokenizer_config.json"
        )


def generate_texts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    inputs: Any,
    seeds: Sequence[int],
    sampling: Sampling,
) -> list[str]:
    """Continue tokenised prompts, one seed a row, and decode what was added.

    Args:
        model: a decoder-only model.
        tokenizer: its tokenizer.
        prompts: as the model reads them.
        inputs: left-padded model inputs with `input_ids`, (rows, tokens), on the model's device.
        seeds: one a row.
        sampling: how tokens are drawn.

    Returns:
        One text a row, without prompt, special tokens and thinking; empty where thinking did not end.

    Raises:
        NotANumber: A token would be chosen by logits that are no numbers.
    """
    watch = LogitsWatch()
    processors = LogitsProcessorList([watch])
    if sampling.temperature > 0:
        processors.append(SeededSampler(seeds, sampling))
    with torch.inference_mode():
        tokens = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=sampling.max_new_tokens,
            logits_processor=processors,
        )
    watch.refuse([f"{place} of {len(seeds)} in a batch" for place in range(1, len(seeds) + 1)], "the model")
    added = tokens[:, inputs["input_ids"].shape[1] :]
    written = _decode(tokenizer, added)
    return [answer_after(prompt, text) for prompt, text in zip(prompts, written, strict=True)]


def _decode(tokenizer: Any, tokens: Tensor) -> list[str]:
    """Texts without special tokens, except those that mark thinking, which tell it from the answer."""
    specials = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    marks = {index for token, index in specials.items() if is_mark(token)}
    if not marks:
        texts: list[str] = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return texts
    left_out = set(specials.values()) - marks
    kept = [[token for token in row if token not in left_out] for row in tokens.tolist()]
    return [tokenizer.decode(row, skip_special_tokens=False) for row in kept]
