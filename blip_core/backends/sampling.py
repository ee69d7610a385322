"""Sampling in batches with one seed a row.

`torch.multinomial` draws for a whole batch from one generator, so that a row's text would depend on its
neighbours. Here every row has its own stream of numbers, drawn up front on the CPU, one a token: a row's
tokens depend on its seed and its own logits, and the same seed draws the same numbers on every device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from blip_core.backends.chat.thinking import answer_place, is_mark
from blip_core.errors import CheckpointError
from blip_core.modeling.finite import LogitsWatch
from blip_core.ports import Written

_ENOUGH_BEFORE = 8  # tokens; a character has four bytes at the most
_NO_CHARACTER = "\ufffd"  # how bytes are decoded that are no character, or not yet


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


class DrawnTokens(LogitsProcessor):
    """Changes no logits, and keeps how likely the tokens were that were drawn from them.

    It must stand before whatever changes logits: temperature and nucleus say how tokens are drawn, and not
    how sure the model is of them.
    """

    def __init__(self) -> None:
        self._logits: Tensor | None = None
        self._drawn: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Look at logits, float32 (B, V), and at the tokens that the last ones led to."""
        self._look_back(input_ids)
        self._logits = scores
        return scores

    def log_probabilities(self, tokens: Tensor) -> list[list[float]]:
        """Natural log-probability of each token that was drawn, a list a row.

        Args:
            tokens: (B, T), all that were read and drawn.
        """
        self._look_back(tokens)
        self._logits = None
        return torch.stack(self._drawn, dim=1).tolist() if self._drawn else [[] for _ in tokens]

    def _look_back(self, tokens: Tensor) -> None:
        """Score the last token of each row (B, T) by the logits that it was drawn from."""
        if self._logits is not None:
            own = self._logits.gather(1, tokens[:, -1:]).squeeze(1)
            self._drawn.append(own - self._logits.logsumexp(dim=-1))


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
) -> list[Written]:
    """Continue tokenised prompts, one seed a row, and decode what was added.

    Args:
        model: a decoder-only model.
        tokenizer: its tokenizer.
        prompts: as the model reads them.
        inputs: left-padded model inputs with `input_ids`, (rows, tokens), on the model's device.
        seeds: one a row.
        sampling: how tokens are drawn.

    Returns:
        One text a row, without prompt, special tokens and thinking; empty where thinking did not end. Each
        with its tokens, as far as they can be placed in it.

    Raises:
        NotANumber: A token would be chosen by logits that are no numbers.
    """
    watch, drawn = LogitsWatch(), DrawnTokens()
    processors = LogitsProcessorList([watch, drawn])
    if sampling.temperature > 0:
        processors.append(SeededSampler(seeds, sampling))
    with torch.inference_mode():
        tokens = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=sampling.max_new_tokens,
            logits_processor=processors,
        )
        chances = drawn.log_probabilities(tokens)
    watch.refuse([f"{place} of {len(seeds)} in a batch" for place in range(1, len(seeds) + 1)], "the model")
    added = tokens[:, inputs["input_ids"].shape[1] :].tolist()
    written = _decode(tokenizer, added, chances)
    return [_answer(prompt, one) for prompt, one in zip(prompts, written, strict=True)]


def _answer(prompt: str, written: Written) -> Written:
    """What a model wrote, without the thinking before it; tokens keep to the text that is left."""
    begin, end = answer_place(prompt, written.text)
    pairs = zip(written.starts, written.log_probabilities, strict=True)
    kept = [(max(start - begin, 0), chance) for start, chance in pairs if begin <= start < end]
    return Written(written.text[begin:end], *(tuple(column) for column in zip(*kept, strict=True)))


def _decode(
    tokenizer: Any, rows: Sequence[Sequence[int]], chances: Sequence[Sequence[float]]
) -> list[Written]:
    """Texts without special tokens, except those that mark thinking, which tell it from the answer."""
    specials = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    marks = {index for token, index in specials.items() if is_mark(token)}
    left_out = set(specials.values()) - marks
    kept = [
        [(token, chance) for token, chance in zip(row, own, strict=True) if token not in left_out]
        for row, own in zip(rows, chances, strict=True)
    ]
    decode = partial(tokenizer.decode, skip_special_tokens=not marks)
    if marks:
        texts = [decode([token for token, _ in row]) for row in kept]
    else:
        texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
    return [_placed(decode, text, row) for text, row in zip(texts, kept, strict=True)]


def _placed(decode: Callable[[list[int]], str], text: str, tokens: Sequence[tuple[int, float]]) -> Written:
    """A text and where its tokens stand; without them where they do not spell it one after the other.

    They do not where bytes were drawn that are no characters.
    """
    *starts, end = _bounds(decode, [token for token, _ in tokens])
    if end != len(text.rstrip(_NO_CHARACTER)) or starts != sorted(starts):
        return Written(text)
    return Written(text, tuple(starts), tuple(chance for _, chance in tokens))


def _bounds(decode: Callable[[list[int]], str], tokens: Sequence[int]) -> list[int]:
    """Where each token begins in the text of all, and where the last one ends.

    What a token reads hangs on the few before it: some decoders leave out the first space, and a character
    may take several tokens, which then all begin where it does. So few are decoded at a time, and the time is
    linear.
    """
    bounds, first, before = [0], 0, 0
    for place in range(len(tokens)):
        if place - first == 2 * _ENOUGH_BEFORE:
            first = place - _ENOUGH_BEFORE
            before = _length(decode(list(tokens[first:place])))
        after = _length(decode(list(tokens[first : place + 1])))
        bounds.append(bounds[-1] + after - before)
        before = after
    return bounds


def _length(text: str) -> int:
    """Characters of a text without one at its end that is not complete."""
    return len(text.rstrip(_NO_CHARACTER))
