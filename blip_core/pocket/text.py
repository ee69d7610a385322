"""The T5 of the pocket BLIP-2, first taught from text alone: to match, to answer, to describe."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from blip_core.pocket.language import LETTERS, PocketQuestion, ask_any, describe, tell_scene
from blip_core.pocket.pretraining import Plan, parameter_groups, say, step_rng, train_part
from blip_core.pocket.prompts import answer_prompt, describe_prompt, plain_answer_prompt, with_loose_end
from blip_core.pocket.tokenizers import EOS, PAD
from blip_core.pocket.world import OBJECT_NAMES, PLACES, TIMES, PocketScene, Split, Style, draw_scene

T5_WIDTH = 128
_MATCHING_INIT_STD = 0.035
_PREVIOUS_TOKEN_BUCKET = 1  # relative position -1 in a bidirectional encoder
_PREVIOUS_TOKEN_BIAS = 8.0
_QUERY_KEY_LR = 0.15  # T5 does not scale its attention scores, so these must move slowly
_EMBEDDING_LR = 2.0
_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Pair:
    """What goes into the encoder and what the decoder must write."""

    prompt: str
    target: str


def t5_config(tokenizer: PreTrainedTokenizerFast) -> T5Config:
    pad, eos = tokenizer.convert_tokens_to_ids([PAD, EOS])
    return T5Config(
        vocab_size=len(tokenizer),
        d_model=T5_WIDTH,
        d_kv=32,
        num_heads=4,
        d_ff=2 * T5_WIDTH,
        num_layers=3,
        num_decoder_layers=2,
        dropout_rate=0.0,
        feed_forward_proj="relu",
        pad_token_id=pad,
        eos_token_id=eos,
        decoder_start_token_id=pad,
    )


def new_t5(tokenizer: PreTrainedTokenizerFast, seed: int) -> T5ForConditionalGeneration:
    """A T5 whose attention starts by matching equal tokens, and one head by looking one token back.

    Without that start, unscaled attention collapses onto one token and option letters stay at chance.
    """
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(t5_config(tokenizer))
    attentions = [block.layer[0].SelfAttention for block in model.encoder.block[1:]]
    attentions += [block.layer[1].EncDecAttention for block in model.decoder.block]
    with torch.no_grad():
        for attention in attentions:
            attention.q.weight.normal_(std=_MATCHING_INIT_STD)
            attention.k.weight.copy_(attention.q.weight)
        first = model.encoder.block[0].layer[0].SelfAttention
        first.relative_attention_bias.weight[_PREVIOUS_TOKEN_BUCKET, 0] += _PREVIOUS_TOKEN_BIAS
    return model


def t5_lr_scale(name: str) -> float:
    """Learning-rate scale of a T5 weight, by its name."""
    if name.endswith((".q.weight", ".k.weight")):
        return _QUERY_KEY_LR
    if "shared" in name:
        return _EMBEDDING_LR
    return 1.0


def text_pair(rng: np.random.Generator, matching_share: float) -> Pair:
    """One text task: find a word among options, answer from a description, or retell a scene."""
    draw = rng.random()
    if draw < matching_share:
        return _matching_pair(rng)
    scene = draw_scene(rng, Style.SHIFTED, Split.TRAIN)
    question = ask_any(scene, rng)
    told = describe(scene) if rng.random() < 0.7 else tell_scene(scene, rng)
    share = (draw - matching_share) / (1.0 - matching_share)
    if share < 0.6:
        return Pair(with_loose_end(answer_prompt(question, told), rng), question.letter)
    if share < 0.67:
        return Pair(plain_answer_prompt(question, told), question.letter)
    if share < 0.8:
        answer = question.options[question.answer]
        return Pair(f"Description: {told}\nQuestion: {question.text} Answer:", answer)
    prompt = with_loose_end(describe_prompt(question.text), rng)
    return Pair(f"{tell_scene(scene, rng)}\n{prompt}", describe(scene))


def _matching_pair(rng: np.random.Generator) -> Pair:
    words = (OBJECT_NAMES, PLACES, TIMES)[int(rng.integers(3))]
    options = [str(word) for word in rng.choice(words, size=4, replace=False)]
    answer = int(rng.integers(4))
    lines = "".join(f"\n{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True))
    return Pair(f"Question: {options[answer]}{lines}\n\nAnswer:", LETTERS[answer])


def encode_pairs(tokenizer: PreTrainedTokenizerFast, pairs: list[Pair]) -> dict[str, Tensor]:
    """Padded encoder inputs and labels, pads in the labels ignored."""
    inputs = tokenizer([pair.prompt for pair in pairs], padding=True, return_tensors="pt")
    labels = tokenizer([pair.target for pair in pairs], padding=True, return_tensors="pt")
    targets = labels.input_ids.masked_fill(labels.attention_mask == 0, _IGNORED)
    return {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask, "labels": targets}


def row_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over rows of each row's mean token loss, so that a letter weighs as much as a description."""
    losses = torch.nn.functional.cross_entropy(
        logits.float().transpose(1, 2), labels, reduction="none", ignore_index=_IGNORED
    )
    return (losses.sum(1) / (labels != _IGNORED).sum(1)).mean()


def train_text(
    folder: Path, tokenizer: PreTrainedTokenizerFast, plan: Plan, batch_size: int = 32
) -> T5ForConditionalGeneration:
    model = new_t5(tokenizer, plan.seed)
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        matching = 0.5 if step < plan.steps // 5 else 0.1
        batch = encode_pairs(tokenizer, [text_pair(rng, matching) for _ in range(batch_size)])
        return row_loss(model(**batch).logits, batch["labels"])

    def score(step: int) -> None:
        say(f"{folder.name} {step}: letters right {measure_text(model, tokenizer):.3f}")

    train_part(folder, model, loss_at, plan, parameter_groups(model, t5_lr_scale), on_save=score)
    return model.eval()


@torch.no_grad()
def measure_text(
    model: T5ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, rows: int = 300, seed: int = 99
) -> float:
    """Share of letters right when the true description is given, no picture."""
    rng = np.random.default_rng(seed)
    scenes: list[PocketScene] = [draw_scene(rng, Style.SHIFTED, Split.TEST) for _ in range(rows)]
    questions: list[PocketQuestion] = [ask_any(scene, rng) for scene in scenes]
    pairs = [
        Pair(answer_prompt(question, describe(scene)), question.letter)
        for scene, question in zip(scenes, questions, strict=True)
    ]
    model.eval()
    logits = model(**encode_pairs(tokenizer, pairs)).logits[:, 0]
    model.train()
    letters = logits[:, tokenizer.convert_tokens_to_ids(list(LETTERS))].argmax(-1).tolist()
    right = [LETTERS[letter] == pair.target for letter, pair in zip(letters, pairs, strict=True)]
    return float(np.mean(right))
