"""Texts written after prompts: greedy in a lean loop of our own, with beams by transformers."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList

from blip_core.inference.counting import InferenceCounts
from blip_core.inference.letters import LANGUAGE_MODEL
from blip_core.inference.reading import Reader
from blip_core.modeling.finite import LogitsWatch, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import pad_token_id

# Finished rows leave once no more than this share goes on writing: that copies what the others hold.
LEAVING_SHARE = 0.5


def generation_config(
    bundle: Blip2Bundle,
    max_new_tokens: int,
    beams: int = 1,
    min_new_tokens: int = 0,
    length_penalty: float = 1.0,
) -> GenerationConfig:
    """Decoding without sampling, whatever the checkpoint's own generation settings say."""
    text_config = bundle.blip2.language_model.config
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        min_new_tokens=min_new_tokens or None,
        do_sample=False,
        num_beams=beams,
        **({"length_penalty": length_penalty} if beams > 1 else {}),
        bos_token_id=getattr(text_config, "bos_token_id", None),
        eos_token_id=text_config.eos_token_id,
        pad_token_id=pad_token_id(bundle),
        decoder_start_token_id=getattr(text_config, "decoder_start_token_id", None),
    )


def write_texts(
    bundle: Blip2Bundle,
    reader: Reader,
    max_new_tokens: int,
    beams: int,
    counts: InferenceCounts,
    names: Sequence[str],
    min_new_tokens: int = 0,
    length_penalty: float = 1.0,
) -> list[str]:
    """Write a text after each prompt that was read: stripped, without special tokens.

    The reader is used up.

    Args:
        bundle: the model.
        reader: prompts that it has read.
        max_new_tokens: longest text.
        beams: 1 is greedy.
        counts: told of steps and tokens.
        names: of the rows.
        min_new_tokens: tokens before which no text ends.
        length_penalty: power of a text's length that beams divide its log-probability by.

    Raises:
        NotANumber: A token would be chosen by logits that are no numbers; the message names its row.
    """
    if beams > 1:
        config = generation_config(bundle, max_new_tokens, beams, min_new_tokens, length_penalty)
        written = _write_with_beams(bundle, reader, config, names)
    else:
        written = _write_greedily(bundle, reader, max_new_tokens, counts, names, min_new_tokens)
    texts = bundle.tokenizer.batch_decode(written, skip_special_tokens=True)
    return [str(text).strip() for text in texts]


def _write_with_beams(
    bundle: Blip2Bundle, reader: Reader, config: GenerationConfig, names: Sequence[str]
) -> Tensor:
    watch = LogitsWatch()
    written: Tensor = bundle.blip2.language_model.generate(
        **reader.generation_inputs(),
        generation_config=config,
        logits_processor=LogitsProcessorList([watch]),
    )
    watch.refuse(names, LANGUAGE_MODEL)
    return written


def _write_greedily(
    bundle: Blip2Bundle,
    reader: Reader,
    max_new_tokens: int,
    counts: InferenceCounts,
    names: Sequence[str],
    min_new_tokens: int,
) -> Tensor:
    """Token ids (B, at most max_new_tokens), padded after a row's end."""
    device = reader.first_logits.device
    pad, ends = pad_token_id(bundle), _end_ids(bundle, device)
    tokens, are_finite = _likeliest(_unended(reader.first_logits, ends, min_new_tokens > 0))
    written = torch.full((len(tokens), max_new_tokens), pad, device=device)
    rows = torch.arange(len(tokens), device=device)  # where in `written` each row of the reader stands
    going_on = torch.ones_like(rows, dtype=torch.bool)
    left = len(rows)
    for position in range(max_new_tokens):
        tokens = torch.where(going_on, tokens, pad)
        written[rows, position] = tokens
        counts.written_tokens += left
        going_on = going_on & ~torch.isin(tokens, ends)
        left = int(going_on.sum())
        if left == 0 or position + 1 == max_new_tokens:
            break
        if left <= LEAVING_SHARE * len(rows):
            staying = going_on.nonzero()[:, 0]
            reader.keep(staying)
            rows, tokens, going_on = rows[staying], tokens[staying], going_on[staying]
        logits = reader.step(tokens[:, None])[:, 0]
        tokens, still_finite = _likeliest(_unended(logits, ends, position + 1 < min_new_tokens))
        are_finite[rows] &= still_finite | ~going_on
        counts.decoder_steps += 1
    refuse_rows(are_finite, names, LANGUAGE_MODEL)
    return written


def _unended(logits: Tensor, ends: Tensor, is_short: bool) -> Tensor:
    """(B, V) logits, those of the tokens that end a text at the bottom where it is too short to end."""
    return logits.index_fill(-1, ends, torch.finfo(logits.dtype).min) if is_short else logits


def _likeliest(logits: Tensor) -> tuple[Tensor, Tensor]:
    """(B, V) -> the likeliest token of each row, and whether its logit is a number: NaN comes before all."""
    tokens = logits.argmax(dim=-1)
    return tokens, logits.gather(-1, tokens[:, None])[:, 0].isfinite()


def _end_ids(bundle: Blip2Bundle, device: torch.device) -> Tensor:
    end = bundle.blip2.language_model.config.eos_token_id
    return torch.tensor(end if isinstance(end, list) else [end], device=device)
