"""Prompts and targets as token ids, for every family.

A prompt is image tokens, then text, unless its wording says where in the text the picture stands; pads
never stand between the two, which would shift the picture against the text.
B: rows, L: tokens, Q: image tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from blip_core.errors import CheckpointError
from blip_core.modeling.backbones import QFORMER_TOKENIZER
from blip_core.modeling.loading import Blip2Bundle
from blip_core.records import LETTERS, OPTION_LETTERS

IGNORED_LABEL = -100
PICTURE_PLACE = "\ufffc"
"""Unicode's object replacement character, in a prompt that says where the picture stands."""

_SENTENCE_PIECE_SPACE = "\u2581"  # how SentencePiece writes the space in front of a word


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Padded rows.

    Attributes:
        input_ids: (B, L) int64.
        attention_mask: (B, L) int64, 0 on pads.
    """

    input_ids: Tensor
    attention_mask: Tensor

    def to(self, device: torch.device) -> "TokenBatch":
        return TokenBatch(self.input_ids.to(device), self.attention_mask.to(device))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as token ids.

    Attributes:
        ids: image tokens, if it has a picture, and text before or after them.
        is_cut: whether the text was too long and lost its middle.
        instruction: the text as the Q-Former reads it; None where it reads none.
    """

    ids: list[int]
    is_cut: bool
    instruction: list[int] | None = None


def tokenise_prompts(
    bundle: Blip2Bundle, texts: Sequence[str], max_text_tokens: int | None = None, with_picture: bool = True
) -> list[Prompt]:
    """Image tokens, then each text as its tokenizer writes it; or text, image tokens, text.

    A text with `PICTURE_PLACE` has the picture there, between its two parts, and the tokens that a tokenizer
    puts around a text stand around the whole. Without a picture the place is left out.
    A text longer than allowed loses its middle: what is asked stands at its ends. Names of special tokens in
    the text, as somebody's "<image>", are letters like any others: the picture's places are counted.
    """
    if not texts:
        return []
    picture = [bundle.image_token_id] * (bundle.query_count if with_picture else 0)
    limits = [limit for limit in (max_text_tokens, position_limit(bundle)) if limit is not None]
    limit = min(limits, default=None)
    said = [text.replace(PICTURE_PLACE, "") for text in texts]
    prompts = [
        Prompt(picture + _without_middle(ids, limit), limit is not None and len(ids) > limit)
        for ids in bundle.tokenizer(said, split_special_tokens=True)["input_ids"]
    ]
    if not with_picture:
        return prompts
    prompts = [
        _around_picture(bundle, text, picture, limit) if PICTURE_PLACE in text else prompt
        for text, prompt in zip(texts, prompts, strict=True)
    ]
    if not bundle.backbone.reads_instruction:
        return prompts
    return [
        replace(prompt, instruction=ids, is_cut=prompt.is_cut or is_cut)
        for prompt, (ids, is_cut) in zip(prompts, _instructions(bundle, said), strict=True)
    ]


def _around_picture(bundle: Blip2Bundle, text: str, picture: list[int], limit: int | None) -> Prompt:
    """Text, image tokens, text: of a text that is too long either part loses its middle."""
    parts = text.split(PICTURE_PLACE, 1)
    before, after = bundle.tokenizer(parts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    begin, end = _frame(bundle)
    room = None if limit is None else limit - len(begin) - len(end)
    is_cut = room is not None and len(before) + len(after) > room
    if room is not None and is_cut:
        before = _without_middle(before, max(room - len(after), room // 2))
        after = _without_middle(after, room - len(before))
    return Prompt([*begin, *before, *picture, *after, *end], is_cut)


def _frame(bundle: Blip2Bundle) -> tuple[list[int], list[int]]:
    """Tokens that the tokenizer puts before a text, and those after it."""
    whole, bare = (bundle.tokenizer("a", add_special_tokens=asked)["input_ids"] for asked in (True, False))
    start = next(place for place in range(len(whole)) if whole[place : place + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def behind_picture(bundle: Blip2Bundle, ids: Sequence[int]) -> int:
    """Place of the first token after the picture in a prompt that has one."""
    return len(ids) - ids[::-1].index(bundle.image_token_id)


def _instructions(bundle: Blip2Bundle, texts: Sequence[str]) -> list[tuple[list[int], bool]]:
    """Texts as the Q-Former reads them, and whether one had more tokens than it has places."""
    limit = int(bundle.blip2.config.qformer_config.max_position_embeddings)
    rows = _qformer_tokenizer(bundle)(list(texts), split_special_tokens=True)["input_ids"]
    return [(_without_middle(ids, limit), len(ids) > limit) for ids in rows]


def _qformer_tokenizer(bundle: Blip2Bundle) -> Any:
    return getattr(bundle.processor, QFORMER_TOKENIZER)


def pad_instructions(bundle: Blip2Bundle, rows: Sequence[Sequence[int] | None]) -> TokenBatch | None:
    """Instructions of one length, padded on the right; None where the Q-Former reads none."""
    if not bundle.backbone.reads_instruction:
        return None
    read = [row for row in rows if row is not None]
    pad = int(_qformer_tokenizer(bundle).pad_token_id)
    mask = pad_rows([[1] * len(row) for row in read], 0, left=False)
    return TokenBatch(pad_rows(read, pad, left=False), mask)


def prompt_ids(bundle: Blip2Bundle, text: str, max_text_tokens: int | None = None) -> list[int]:
    """One prompt about a picture, see `tokenise_prompts`."""
    return tokenise_prompts(bundle, [text], max_text_tokens)[0].ids


def position_limit(bundle: Blip2Bundle) -> int | None:
    """Text tokens that fit; half of a decoder's positions, so that as many are left to write.

    A T5 has no limit.
    """
    if not bundle.is_causal:
        return None
    return int(bundle.blip2.language_model.config.max_position_embeddings) // 2 - bundle.query_count


def _without_middle(ids: list[int], limit: int | None) -> list[int]:
    if limit is None or len(ids) <= limit:
        return ids
    head = limit // 2
    return ids[:head] + ids[len(ids) - (limit - head) :]


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, without those that a tokenizer puts around one."""
    if not texts:
        return []
    rows = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [len(ids) for ids in rows]


def target_ids(bundle: Blip2Bundle, text: str) -> list[int]:
    """A text to learn, with the token that ends it."""
    spoken = f" {text}" if _goes_on_with_a_space(bundle) else text
    ids = bundle.tokenizer(spoken, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [*ids, end_token_id(bundle)]


def _goes_on_with_a_space(bundle: Blip2Bundle) -> bool:
    """Whether what follows a prompt's last word needs a space in front: SentencePiece writes one itself."""
    return bundle.is_causal and not bundle.tokenizer.tokenize("A")[0].startswith(_SENTENCE_PIECE_SPACE)


def letter_target_ids(bundle: Blip2Bundle, letter: str) -> list[int]:
    """An option letter to learn: the very token that ranking looks at."""
    return [letter_ids(bundle, OPTION_LETTERS.index(letter) + 1)[-1], end_token_id(bundle)]


def end_token_id(bundle: Blip2Bundle) -> int:
    end = bundle.blip2.language_model.config.eos_token_id
    return int(end[0] if isinstance(end, list) else end)


def letter_ids(bundle: Blip2Bundle, count: int = len(LETTERS)) -> list[int]:
    """Token of each option letter from A on: with a space in front where the tokenizer has such a token.

    The tokenizers of T5 and Llama put the space there themselves; those of OPT and Qwen have letters with and
    without. A letter's token is the same however many there are.

    Args:
        bundle: the model.
        count: how many letters.

    Raises:
        CheckpointError: A letter is no single token, or two letters share one.
    """
    letters = OPTION_LETTERS[:count]
    ids = [_letter_id(bundle, letter) for letter in letters]
    if None in ids or len(set(ids)) < count:
        raise CheckpointError(
            f"the tokenizer has no token of its own for each of {', '.join(letters)}, so that letters cannot "
            "be ranked; set inference.ranking to texts, or leave out questions with so many options"
        )
    return [one for one in ids if one is not None]


def _letter_id(bundle: Blip2Bundle, letter: str) -> int | None:
    for form in (f" {letter}", letter) if bundle.is_causal else (letter,):
        ids = bundle.tokenizer(form, add_special_tokens=False)["input_ids"]
        if len(ids) == 1:
            return int(ids[0])
    return None


def pad_prompts(bundle: Blip2Bundle, rows: Sequence[Sequence[int]]) -> TokenBatch:
    """Pad rows to one length: on the right for T5, else on the left, to be written on at the right edge."""
    left = bundle.is_causal
    ids = pad_rows(rows, pad_token_id(bundle), left)
    mask = pad_rows([[1] * len(row) for row in rows], 0, left)
    return TokenBatch(ids, mask)


def text_positions(attention_mask: Tensor) -> Tensor:
    """(B, L) places of tokens from 0 on, counted without the pads in front of them; a pad has place 0."""
    return (attention_mask.cumsum(dim=1) - 1).clamp_min(0)


def pad_token_id(bundle: Blip2Bundle) -> int:
    return int(bundle.blip2.language_model.config.pad_token_id)


def pad_rows(rows: Sequence[Sequence[int]], value: int, left: bool) -> Tensor:
    """Rows of ids as one int64 tensor (B, longest row)."""
    width = max(len(row) for row in rows)
    padded = torch.full((len(rows), width), value, dtype=torch.int64)
    for index, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        padded[index, place] = torch.tensor(row, dtype=torch.int64)
    return padded
