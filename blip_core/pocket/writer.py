"""The pocket scene writer: a Qwen2 that answers the shipped scene prompt with five numbered scenes."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from blip_core.pocket.labeller import encode_labels, weighted_loss
from blip_core.pocket.language import read_scene, tell_scene
from blip_core.pocket.pretraining import Plan, publish_folder, say, step_rng, train_part
from blip_core.pocket.prompts import scenes_prompt, shipped_prompts
from blip_core.pocket.tokenizers import CHAT_END, PAD, shorten_tokenizer
from blip_core.pocket.world import CATEGORIES, PocketScene, Split, Style, category_of, draw_scene

WRITER_WIDTH = 96
TEMPERATURE = 1.0
_MAX_NEW_TOKENS = 160


def writer_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    pad, end = tokenizer.convert_tokens_to_ids([PAD, CHAT_END])
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=WRITER_WIDTH,
        intermediate_size=2 * WRITER_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        initializer_range=0.05,
        tie_word_embeddings=True,
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=end,
    )


def new_writer(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(writer_config(tokenizer))


def chat(tokenizer: PreTrainedTokenizerFast, category: str) -> str:
    messages = [{"role": "user", "content": scenes_prompt(category)}]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def told_list(category: str, rng: np.random.Generator) -> str:
    """Five different scenes of a category as a numbered list."""
    scenes: list[PocketScene] = []
    while len(scenes) < shipped_prompts().per_call:
        scene = draw_scene(rng, Style.SHIFTED, Split.TRAIN, category)
        if scene not in scenes:
            scenes.append(scene)
    return "\n".join(f"{index}. {tell_scene(scene, rng)}" for index, scene in enumerate(scenes, start=1))


def train_writer(
    folder: Path,
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    batch_size: int = 16,
) -> None:
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        categories = [str(rng.choice(CATEGORIES)) for _ in range(batch_size)]
        heads = [chat(tokenizer, category) for category in categories]
        batch = encode_labels(tokenizer, heads, [told_list(category, rng) for category in categories])
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return weighted_loss(logits, batch["labels"], (batch["labels"] >= 0).float())

    train_part(folder, model, loss_at, plan)


@torch.no_grad()
def write_lists(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    categories: list[str],
    temperature: float = TEMPERATURE,
) -> list[str]:
    """Sample one list a category."""
    model.eval()
    texts = [chat(tokenizer, category) for category in categories]
    inputs = tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=False)
    ids = model.generate(
        input_ids=inputs.input_ids,
        attention_mask=inputs.attention_mask,
        do_sample=True,
        temperature=temperature,
        max_new_tokens=_MAX_NEW_TOKENS,
    )
    return list(tokenizer.batch_decode(ids[:, inputs.input_ids.shape[1] :], skip_special_tokens=True))


def score_lists(categories: list[str], texts: list[str]) -> dict[str, float]:
    """Shares of lists with exactly five numbered lines, of valid, fitting and distinct scenes."""
    five, scenes, on_topic = [], [], []
    for category, text in zip(categories, texts, strict=True):
        lines = text.strip().split("\n")
        numbered = [line for number, line in enumerate(lines, 1) if line.startswith(f"{number}. ")]
        five.append(len(lines) == len(numbered) == shipped_prompts().per_call)
        for line in numbered:
            scene = read_scene(line.partition(". ")[2])
            scenes.append(scene)
            on_topic.append(scene is not None and any(category_of(g.name) == category for g in scene.groups))
    valid = [scene for scene in scenes if scene is not None]
    return {
        "five lines": round(float(np.mean(five)), 3),
        "valid": round(len(valid) / max(1, len(scenes)), 3),
        "on topic": round(float(np.mean(on_topic or [False])), 3),
        "distinct": round(len(set(valid)) / max(1, len(valid)), 3),
    }


def publish_writer(folder: Path, model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    half = copy.deepcopy(model).half().eval()
    generation = half.generation_config
    generation.max_new_tokens, generation.max_length = _MAX_NEW_TOKENS, None
    generation.do_sample, generation.temperature = True, TEMPERATURE
    generation.pad_token_id, generation.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id

    def write(place: Path) -> None:
        half.save_pretrained(place)
        tokenizer.save_pretrained(place)
        shorten_tokenizer(place)

    publish_folder(folder, write)
    say(f"published {folder}")
