"""Greedy text from prompts about encoded pictures."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import GenerationConfig

from blip_core.inference.batching import length_batches
from blip_core.modeling.features import prompt_embeddings
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import pad_prompts, pad_token_id


def greedy_config(bundle: Blip2Bundle, max_new_tokens: int) -> GenerationConfig:
    """Greedy decoding, whatever the checkpoint's own generation settings say."""
    text_config = bundle.blip2.language_model.config
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        bos_token_id=getattr(text_config, "bos_token_id", None),
        eos_token_id=text_config.eos_token_id,
        pad_token_id=pad_token_id(bundle),
        decoder_start_token_id=getattr(text_config, "decoder_start_token_id", None),
    )


@torch.inference_mode()
def generate_texts(
    bundle: Blip2Bundle,
    prompts: Sequence[list[int]],
    features: Sequence[Tensor],
    batch_size: int,
    max_new_tokens: int,
    on_rows: Callable[[int], None],
) -> list[str]:
    """Write a text for each prompt.

    Args:
        bundle: the model.
        prompts: token ids, image tokens among them.
        features: (Q, D) of the picture of each prompt.
        batch_size: rows written at once.
        max_new_tokens: longest text.
        on_rows: told how many rows each batch had.

    Returns:
        Texts in the order of the prompts, stripped, without prompt or special tokens.
    """
    texts = [""] * len(prompts)
    config = greedy_config(bundle, max_new_tokens)
    for batch in length_batches([len(prompt) for prompt in prompts], batch_size):
        rows = pad_prompts(bundle, [prompts[index] for index in batch]).to(bundle.device)
        embeddings = prompt_embeddings(bundle, rows, torch.stack([features[index] for index in batch]))
        written = bundle.blip2.language_model.generate(
            inputs_embeds=embeddings, attention_mask=rows.attention_mask, generation_config=config
        )
        decoded = bundle.tokenizer.batch_decode(written, skip_special_tokens=True)
        for index, text in zip(batch, decoded, strict=True):
            texts[index] = text.strip()
        on_rows(len(batch))
    return texts
