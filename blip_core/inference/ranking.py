"""Scores of a question's options: of their letters, or of their whole texts."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from blip_core.inference.counting import InferenceCounts
from blip_core.inference.reading import Reader
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import letter_ids, pad_rows, pad_token_id
from blip_core.records import LETTERS


def letter_scores(bundle: Blip2Bundle, reader: Reader, letters: int = len(LETTERS)) -> Tensor:
    """Logits (B, letters) from A on at the first position of the answer: reading the prompt is all it takes.

    Raises:
        CheckpointError: The tokenizer has no single token for a letter.
    """
    return reader.first_logits[:, letter_ids(bundle, letters)].float()


def text_scores(
    bundle: Blip2Bundle,
    reader: Reader,
    candidates: Sequence[Sequence[Sequence[int]]],
    counts: InferenceCounts,
) -> Tensor:
    """Scores (B, most candidates) of candidate answers: the mean log-probability of their tokens.

    For a candidate t of T tokens, its end token among them, after a prompt x:

        score = 1/T * sum over i of log p(t_i | x, t_1 ... t_{i-1})

    The sum alone is the candidate's probability, but it falls with every token, so that short answers would
    win for being short; divided by T it is the mean. The end token belongs to it: without it an answer would
    be as good as a longer one that it begins.

    Args:
        bundle: the model.
        reader: B prompts that it has read; they are read once for all candidates, and stay as they are.
        candidates: token ids of the candidates after each of B prompts.
        counts: told of the one step that is taken.

    Returns:
        Minus infinity where a prompt has fewer candidates than another.
    """
    device = reader.first_logits.device
    flat = [candidate for of_prompt in candidates for candidate in of_prompt]
    tokens = pad_rows(flat, pad_token_id(bundle), left=False).to(device)
    lengths = torch.tensor([len(candidate) for candidate in flat], device=device)
    branch = reader.branch([len(of_prompt) for of_prompt in candidates])
    logits = branch.first_logits[:, None]
    if tokens.shape[1] > 1:
        logits = torch.cat([logits, branch.step(tokens[:, :-1])], dim=1)
        counts.decoder_steps += 1
    chances = logits.float()
    told = chances.gather(2, tokens[:, :, None])[:, :, 0] - chances.logsumexp(dim=-1)
    counted = torch.arange(tokens.shape[1], device=device) < lengths[:, None]
    means: Tensor = (told * counted).sum(dim=1) / lengths
    of_prompts = means.split([len(of_prompt) for of_prompt in candidates])
    return pad_sequence(list(of_prompts), batch_first=True, padding_value=float("-inf"))
