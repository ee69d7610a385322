"""Letters read from free text, and letters ranked by the model."""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from blip_core.inference.batching import length_batches
from blip_core.modeling.features import prompt_embeddings
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import TokenBatch, letter_ids, pad_prompts
from blip_core.records import LETTERS, Letter

# A letter alone, or one set off as options are: "B", "(B)", "B.", "B) the park", "B: the park".
_LETTER = re.compile(r"\(?([A-D])(?:$|[.):])")


def read_letter(text: str) -> str:
    """Option letter that a free answer opens with; empty where it opens with anything else.

    "Apple" and "A dog" are no letters: an article is not an answer, and nothing is guessed.
    """
    match = _LETTER.match(text.strip())
    return match.group(1) if match else ""


def best_letter(probabilities: Sequence[float]) -> Letter:
    """Most probable letter; the first of equals."""
    return LETTERS[max(range(len(LETTERS)), key=lambda index: (probabilities[index], -index))]


@torch.inference_mode()
def rank_letters(
    bundle: Blip2Bundle,
    prompts: Sequence[list[int]],
    features: Sequence[Tensor],
    batch_size: int,
    on_rows: Callable[[int], None],
) -> list[list[float]]:
    """Probabilities of A to D among the four, at the first position of the answer; one forward pass a batch.

    Returns:
        Four numbers a prompt, in the order of the prompts; they sum to 1.

    Raises:
        CheckpointError: The tokenizer has no single token for a letter.
    """
    ids = letter_ids(bundle)
    ranked: list[list[float]] = [[] for _ in prompts]
    for batch in length_batches([len(prompt) for prompt in prompts], batch_size):
        rows = pad_prompts(bundle, [prompts[index] for index in batch]).to(bundle.device)
        logits = first_logits(bundle, rows, torch.stack([features[index] for index in batch]))
        chances = logits[:, ids].float().softmax(dim=-1).cpu().double()
        for index, row in zip(batch, (chances / chances.sum(dim=-1, keepdim=True)).tolist(), strict=True):
            ranked[index] = row
        on_rows(len(batch))
    return ranked


def first_logits(bundle: Blip2Bundle, prompts: TokenBatch, features: Tensor) -> Tensor:
    """Logits (B, vocabulary) of the first token of the answer."""
    language_model = bundle.blip2.language_model
    inputs = {
        "inputs_embeds": prompt_embeddings(bundle, prompts, features),
        "attention_mask": prompts.attention_mask,
    }
    if bundle.family == "opt":
        logits: Tensor = language_model(**inputs, logits_to_keep=1, use_cache=False).logits
        return logits[:, -1]
    start = language_model.config.decoder_start_token_id
    inputs["decoder_input_ids"] = torch.full((len(features), 1), start, device=features.device)
    logits = language_model(**inputs, use_cache=False).logits
    return logits[:, 0]
