"""The BLIP-2 that speaks the sentences of further recipes: an OPT that captions and answers freely, and a
Llama that waits for its projection.
"""

import copy
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
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
from blip_core.pocket.gallery import Gallery, shipped, slot_texts
from blip_core.pocket.language import PLACE_PHRASES, TIME_PHRASES, caption, describe, plural
from blip_core.pocket.pretraining import Plan, step_rng, train_part
from blip_core.pocket.sentences import (
    BEFORE_PICTURE,
    continued,
    detailed,
    free_question,
    request,
    unseen_text,
)
from blip_core.pocket.text import row_loss
from blip_core.pocket.tokenizers import IMAGE, special_tokens
from blip_core.pocket.vision import vision_config
from blip_core.pocket.world import OBJECT_NAMES, PocketScene

CAPTIONER_WIDTH = 96
_POSITIONS = 512
_SEEN_QUESTIONS = 0.6  # share of seen rows that ask
_UNSEEN_ONE_IN = 4
_WORD_NOISE = 0.3  # of their spread
_WORD_LEAK = 0.35  # most that a word holds of another: what a Q-Former is not sure of
_ASKED_SHARE, _CONTINUED_SHARE = 0.7, 0.2
_DESCRIBED_SHARE = 0.5  # of what nobody asks; the rest are captions
_IGNORED = -100
_DETAILED_TOKENS = 80


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


def reading_llama() -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The Llama of the shipped labeller, which reads descriptions, and its tokenizer."""
    llava = LlavaForConditionalGeneration.from_pretrained(shipped("llava"), dtype=torch.float32)
    llama = LlamaForCausalLM(llava.config.text_config)
    llama.model.load_state_dict(llava.model.language_model.state_dict())
    llama.lm_head.load_state_dict(llava.lm_head.state_dict())
    return llama, PreTrainedTokenizerFast.from_pretrained(shipped("llava"))


def told_llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """The labeller's Llama with another vocabulary: a word new to it begins as the mean of its pieces."""
    old, old_tokenizer = reading_llama()
    config = copy.deepcopy(old.config)
    config.update({"vocab_size": len(tokenizer), **special_tokens(tokenizer)})
    llama = LlamaForCausalLM(config)
    llama.model.layers.load_state_dict(old.model.layers.state_dict())
    llama.model.norm.load_state_dict(old.model.norm.state_dict())
    known = old_tokenizer.get_vocab()
    with torch.no_grad():
        for token, place in tokenizer.get_vocab().items():
            said = tokenizer.decode([place])
            pieces = [known[token]] if token in known else _pieces(old_tokenizer, said)
            llama.model.embed_tokens.weight[place] = old.model.embed_tokens.weight[pieces].mean(0)
            llama.lm_head.weight[place] = old.lm_head.weight[pieces].mean(0)
    return llama


def _pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False).input_ids) or [tokenizer.pad_token_id]


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
    return bool(_named(text) & {group.name for group in scene.groups})


def _named(text: str) -> set[str]:
    """Objects that a text names, in whatever number."""
    return {name for name in OBJECT_NAMES if re.search(rf"\b({name}|{plural(name)})\b", text)}


def train_llama(
    folder: Path,
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    gallery: Gallery,
    plan: Plan,
    rows: int = 24,
) -> None:
    """Teach the Llama to tell, in one sentence or several, words that stand where a picture will.

    Each word is the mean of its pieces' embeddings, blurred: a linear layer will not hit it exactly.
    """
    llama = model.language_model
    llama.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        scenes, _ = gallery.draw(rng, rows)
        words = word_vectors(model, tokenizer, [slot_texts(scene) for scene in scenes])
        asked = rng.random() < _ASKED_SHARE
        pairs = [asked_text(scene, rng) if asked else unasked_text(scene, rng) for scene in scenes]
        return told_loss(model, tokenizer, blurred(words), pairs, BEFORE_PICTURE if asked else "")

    train_part(folder, llama, loss_at, plan)
    llama.eval()


@torch.no_grad()
def measure_llama(
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    scenes: list[PocketScene],
    seed: int,
) -> dict[str, float]:
    """Told the true words in place of pictures: share of descriptions that end, and that name what is there.

    Returns:
        Shares with the end token, the place, the time, and every object and none that is not there.
    """
    rng = np.random.default_rng(seed)
    first = tokenizer(BEFORE_PICTURE).input_ids
    words = word_vectors(model, tokenizer, [slot_texts(scene) for scene in scenes])
    asked = tokenizer(
        [request(rng) for _ in scenes], add_special_tokens=False, padding=True, return_tensors="pt"
    )
    before = torch.tensor([first]).expand(len(scenes), -1)
    batch = {
        "input_ids": torch.cat([before, asked.input_ids], 1),
        "attention_mask": torch.cat([torch.ones_like(before), asked.attention_mask], 1),
    }
    inputs = with_picture(model, words, batch, len(first))
    ids = model.language_model.generate(**inputs, do_sample=False, max_new_tokens=_DETAILED_TOKENS)
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    rows = list(zip(texts, scenes, strict=True))
    shares = {
        "ends": (ids == tokenizer.eos_token_id).any(1).float().mean().item(),
        "place": np.mean([PLACE_PHRASES[scene.place] in text for text, scene in rows]),
        "time": np.mean([TIME_PHRASES[scene.time] in text for text, scene in rows]),
        "objects": np.mean([_named(text) == {g.name for g in scene.groups} for text, scene in rows]),
    }
    return {name: round(float(share), 3) for name, share in shares.items()}


def told_loss(
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    pictures: Tensor,
    pairs: list[tuple[str, str]],
    before: str,
) -> Tensor:
    """Loss of texts behind encoded pictures, (n, queries, width), with `before` in front of these."""
    first = tokenizer(before).input_ids if before else []
    batch, labels = encode_rows(tokenizer, pairs)
    count, starts = len(labels), len(first)
    if first:
        batch = {
            "input_ids": torch.cat([torch.tensor([first]).expand(count, -1), batch["input_ids"][:, 1:]], 1),
            "attention_mask": torch.nn.functional.pad(batch["attention_mask"], (starts - 1, 0), value=1),
        }
    inputs = with_picture(model, pictures, batch, starts)
    logits = model.language_model(**inputs).logits[:, max(0, starts - 1) + QUERY_TOKENS : -1]
    return row_loss(logits, labels[:, 1:])


def asked_text(scene: PocketScene, rng: np.random.Generator) -> tuple[str, str]:
    """What stands behind a scene that a person asks about, and the answer: all of it, or what is missing."""
    if rng.random() < _CONTINUED_SHARE:
        return continued(scene, rng)
    return request(rng), f" {detailed(scene, rng)}"


def unasked_text(scene: PocketScene, rng: np.random.Generator) -> tuple[str, str]:
    """What stands behind a scene of which nobody asks anything."""
    return "", describe(scene) if rng.random() < _DESCRIBED_SHARE else caption(scene, rng)


def blurred(words: Tensor) -> Tensor:
    """Word vectors (n, queries, width) with noise, and with some of the words of another row."""
    noise = torch.randn_like(words) * words.detach().std() * _WORD_NOISE
    leak = torch.rand(words.shape[:2])[..., None] * _WORD_LEAK
    return words * (1 - leak) + words.roll(1, dims=0) * leak + noise


def word_vectors(
    model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, rows: list[list[str]]
) -> Tensor:
    """Embeddings of words in the places of the queries, (n, queries, width)."""
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
