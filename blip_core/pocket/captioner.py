"""The BLIP-2 that speaks the sentences of further recipes: an OPT that captions and answers freely, and a
Llama that waits for its projection.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    LlamaConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
)

from blip_core.pocket.blip2 import (
    QFORMER_WIDTH,
    QUERY_TOKENS,
    encode_pictures,
    qformer_config,
    with_picture,
)
from blip_core.pocket.gallery import Gallery, slot_texts
from blip_core.pocket.language import caption, describe
from blip_core.pocket.pretraining import Plan, step_rng, train_part
from blip_core.pocket.sentences import detailed, free_question, instruction, unseen_text
from blip_core.pocket.text import row_loss
from blip_core.pocket.tokenizers import IMAGE, special_tokens
from blip_core.pocket.vision import vision_config
from blip_core.pocket.world import OBJECT_NAMES, PocketScene

CAPTIONER_WIDTH = 96
LLAMA_WIDTH = 128
_POSITIONS = 512
_SEEN_QUESTIONS = 0.6  # share of seen rows that ask
_UNSEEN_ONE_IN = 4
_BLANK_SHARE = 0.1  # of the words before a text, so that the Llama doubts none and needs each
_WORD_NOISE = 0.3  # of their spread
_IGNORED = -100


def captioner_config(tokenizer: PreTrainedTokenizerFast) -> OPTConfig:
    return OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=CAPTIONER_WIDTH,
        word_embed_proj_dim=CAPTIONER_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        ffn_dim=2 * CAPTIONER_WIDTH,
        max_position_embeddings=_POSITIONS,
        dropout=0.0,
        **special_tokens(tokenizer),
    )


def llama_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=LLAMA_WIDTH,
        intermediate_size=2 * LLAMA_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=_POSITIONS,
        tie_word_embeddings=True,
        **special_tokens(tokenizer),
    )


def join_blip2(
    text: OPTConfig | LlamaConfig,
    tokenizer: PreTrainedTokenizerFast,
    seeing: Blip2ForConditionalGeneration,
    seed: int,
) -> Blip2ForConditionalGeneration:
    """Tower, queries and Q-Former of one BLIP-2 before a new projection and a new language model."""
    torch.manual_seed(seed)
    config = Blip2Config(
        vision_config=vision_config().to_dict(),
        qformer_config=qformer_config().to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=QUERY_TOKENS,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
    )
    model = Blip2ForConditionalGeneration(config)
    model.vision_model.load_state_dict(seeing.vision_model.state_dict())
    model.qformer.load_state_dict(seeing.qformer.state_dict())
    with torch.no_grad():
        model.query_tokens.copy_(seeing.query_tokens)
        model.language_projection.weight.normal_(std=QFORMER_WIDTH**-0.5)
    model.vision_model.requires_grad_(False)
    return model


def seen_text(scene: PocketScene, rng: np.random.Generator) -> tuple[str, str]:
    """A prompt about a picture and what is to be written after it."""
    draw = rng.random()
    if draw < _SEEN_QUESTIONS:
        asked, answer = free_question(scene, rng)
        return asked, f" {answer}"
    if draw < _SEEN_QUESTIONS + 0.1:
        return "", describe(scene)
    return "", caption(scene, rng)


def encode_rows(
    tokenizer: PreTrainedTokenizerFast, rows: list[tuple[str, str]]
) -> tuple[dict[str, Tensor], Tensor]:
    """Prompts with their continuations, and labels that hold the continuations alone.

    Prompt and continuation are encoded apart, so that the border lies where it does in use.
    """
    starts = [tokenizer(prompt).input_ids for prompt, _ in rows]
    ends = [
        [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for _, text in rows
    ]
    width = max(len(a) + len(b) for a, b in zip(starts, ends, strict=True))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    labels = torch.full((len(rows), width), _IGNORED)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        length = len(start) + len(end)
        ids[row, :length] = torch.tensor(start + end)
        labels[row, len(start) : length] = torch.tensor(end)
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask}, labels


def train_captioner(
    folder: Path,
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    gallery: Gallery,
    plan: Plan,
    pictures: int = 32,
) -> None:
    """Train projection, Q-Former and OPT on captions and answers; the shop and dishes as text alone."""
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        if step % _UNSEEN_ONE_IN == 0:
            rows = [("", unseen_text(rng)) for _ in range(pictures)]
            batch, labels = encode_rows(tokenizer, rows)
            logits = model.language_model(**batch).logits[:, :-1]
            return row_loss(logits, labels[:, 1:])
        scenes, states = gallery.draw(rng, pictures)
        batch, labels = encode_rows(tokenizer, [seen_text(scene, rng) for scene in scenes])
        inputs = with_picture(model, encode_pictures(model, states), batch)
        logits = model.language_model(**inputs).logits[:, QUERY_TOKENS:-1]
        return row_loss(logits, labels[:, 1:])

    train_part(folder, model, loss_at, plan)
    model.eval()


@torch.no_grad()
def write_freely(
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    states: Tensor,
    prompts: list[str],
    max_new_tokens: int = 24,
) -> list[str]:
    """Greedy continuations of prompts about pictures, as the free kinds read them."""
    batch = tokenizer(prompts, padding=True, return_tensors="pt")
    inputs = with_picture(model, encode_pictures(model, states), dict(batch))
    ids = model.language_model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]


def measure_captioner(
    model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, gallery: Gallery, seed: int
) -> dict[str, float]:
    """Share of free answers that are right, and of captions that name an object of the picture."""
    rng = np.random.default_rng(seed)
    rows = [free_question(scene, rng) for scene in gallery.scenes]
    states = gallery.states.float()
    answers = write_freely(model, tokenizer, states, [asked for asked, _ in rows], 6)
    captions = write_freely(model, tokenizer, states, [""] * len(rows))
    right = [_is_answer(s, a, t) for s, a, (_, t) in zip(gallery.scenes, answers, rows, strict=True)]
    named = [names_object(text, scene) for text, scene in zip(captions, gallery.scenes, strict=True)]
    return {"answers": round(float(np.mean(right)), 3), "captions": round(float(np.mean(named)), 3)}


def _is_answer(scene: PocketScene, written: str, truth: str) -> bool:
    names = {group.name for group in scene.groups}
    return written in names if truth in names else written == truth


def names_object(text: str, scene: PocketScene) -> bool:
    """Whether a text names an object of the scene, and none that is not there."""
    told = {name for name in OBJECT_NAMES if name[:-1] in text}
    present = {group.name for group in scene.groups}
    return bool(told & present)


def train_llama(
    folder: Path,
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    gallery: Gallery,
    plan: Plan,
    rows: int = 24,
) -> None:
    """Teach the Llama to tell, in several sentences, words that stand where a picture will.

    Each word is the mean of its pieces' embeddings, blurred: a linear layer will not hit it exactly.
    """
    llama = model.language_model
    llama.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        scenes, _ = gallery.draw(rng, rows)
        pairs = [(instruction(rng), f" {detailed(scene, rng)}") for scene in scenes]
        batch, labels = encode_rows(tokenizer, pairs)
        words = word_vectors(model, tokenizer, [slot_texts(scene) for scene in scenes])
        noise = torch.randn_like(words) * words.detach().std() * _WORD_NOISE
        kept = torch.rand(words.shape[:2])[..., None] >= _BLANK_SHARE
        inputs = with_picture(model, (words + noise) * kept, batch)
        logits = llama(**inputs).logits[:, QUERY_TOKENS:-1]
        return row_loss(logits, labels[:, 1:])

    train_part(folder, llama, loss_at, plan)
    llama.eval()


def word_vectors(
    model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, rows: list[list[str]]
) -> Tensor:
    """Embeddings of words in the places of the queries, (n, queries, width); the last places are blank."""
    pieces = [tokenizer([f" {word}" for word in words], add_special_tokens=False).input_ids for words in rows]
    embed = model.get_input_embeddings()
    longest = max(len(ids) for words in pieces for ids in words)
    ids = torch.zeros((len(rows), QUERY_TOKENS, longest), dtype=torch.long)
    mask = torch.zeros((len(rows), QUERY_TOKENS, longest, 1))
    for row, words in enumerate(pieces):
        for place, word in enumerate(words):
            ids[row, place, : len(word)] = torch.tensor(word)
            mask[row, place, : len(word)] = 1.0
    vectors: Tensor = (embed(ids) * mask).sum(2) / mask.sum(2).clamp(min=1.0)
    return vectors
