"""The pocket reader: a BERT that finds the answer to a question in a text, or that there is none."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForQuestionAnswering, PreTrainedTokenizerFast

from blip_core.pocket.language import COUNT_WORDS, caption, describe, plural, tell_scene
from blip_core.pocket.pretraining import Plan, publish_folder, say, step_rng, train_part
from blip_core.pocket.sentences import detailed, dish_caption, draw_dish
from blip_core.pocket.shop import draw_item, full_caption, loose_caption
from blip_core.pocket.tokenizers import shorten_tokenizer, special_tokens
from blip_core.pocket.world import OBJECT_NAMES, Split, Style, draw_scene

READER_WIDTH = 96
POSITIONS = 256
_MATCHING_STD = 0.06
_PLACE_QUESTIONS = ("Where was this picture taken?", "Which place is this?")
_TIME_QUESTIONS = ("What time of day is it?", "When was this picture taken?")


@dataclass(frozen=True, slots=True)
class Reading:
    """A question about a text, and its answer as it stands there; empty where the text does not say."""

    question: str
    text: str
    answer: str


def reader_config(tokenizer: PreTrainedTokenizerFast) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=READER_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=2 * READER_WIDTH,
        max_position_embeddings=POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=_MATCHING_STD,
        **special_tokens(tokenizer),
    )


def new_reader(tokenizer: PreTrainedTokenizerFast, seed: int) -> BertForQuestionAnswering:
    torch.manual_seed(seed)
    return BertForQuestionAnswering(reader_config(tokenizer))


def draw_reading(rng: np.random.Generator, split: Split = Split.TRAIN) -> Reading:
    """A question that a text of some recipe answers, or does not."""
    draw = rng.random()
    if draw < 0.4:
        return _shop_reading(rng, split)
    if draw < 0.55:
        return _dish_reading(rng, split)
    return _gallery_reading(rng, split)


def _shop_reading(rng: np.random.Generator, split: Split) -> Reading:
    item = draw_item(rng, split)
    whole = rng.random() < 0.5
    text = full_caption(item) if whole else loose_caption(item, rng)
    asked = item.name if rng.random() < 0.85 else _other(item.name, OBJECT_NAMES, rng)
    question, word = (
        (f"What color is the {asked}?", item.color),
        (f"What is the {asked} made of?", item.material),
        (f"What material is the {asked}?", item.material),
        ("What is for sale here?", item.name),
        ("What can be seen here?", item.name),
    )[int(rng.integers(5))]
    known = word is not None and ((asked in question and asked == item.name) or asked not in question)
    return Reading(question, text, str(word) if known else "")


def _dish_reading(rng: np.random.Generator, split: Split) -> Reading:
    scene = draw_dish(rng, split)
    text = dish_caption(scene, rng)
    question, answer = (
        ("Which dish is this?", scene.groups[0].name),
        (str(rng.choice(_PLACE_QUESTIONS)), scene.place),
        (str(rng.choice(_TIME_QUESTIONS)), scene.time),
        (f"What color is the {scene.groups[0].name}?", ""),
    )[int(rng.integers(4))]
    return Reading(question, text, answer)


def _gallery_reading(rng: np.random.Generator, split: Split) -> Reading:
    scene = draw_scene(rng, Style.GENERIC, split)
    text = (caption(scene, rng), describe(scene), tell_scene(scene, rng), detailed(scene, rng))[
        int(rng.integers(4))
    ]
    group = scene.groups[int(rng.integers(len(scene.groups)))]
    kind = int(rng.integers(4))
    if kind == 0:
        return Reading(str(rng.choice(_PLACE_QUESTIONS)), text, _if_in(scene.place, text))
    if kind == 1:
        return Reading(str(rng.choice(_TIME_QUESTIONS)), text, _if_in(scene.time, text))
    if kind == 2:
        if len(scene.groups) > 1:
            return (
                Reading("How many kites are there?", text, "")
                if "kite" not in text
                else Reading(str(rng.choice(_TIME_QUESTIONS)), text, _if_in(scene.time, text))
            )
        name = plural(group.name) if group.count > 1 else group.name
        return Reading("What can be seen here?", text, _if_in(name, text))
    asked = group.name if rng.random() < 0.75 else _other(group.name, OBJECT_NAMES, rng)
    question = f"How many {plural(asked)} are there?"
    if asked != group.name or group.count == 1:
        found = [g for g in scene.groups if g.name == asked]
        count = COUNT_WORDS[found[0].count - 1] if found else ""
        phrase = f"{count} {asked if found and found[0].count == 1 else plural(asked)}"
        return Reading(question, text, count if found and phrase in text.lower() else "")
    phrase = f"{COUNT_WORDS[group.count - 1]} {plural(group.name)}"
    return Reading(question, text, COUNT_WORDS[group.count - 1] if phrase in text.lower() else "")


def _if_in(word: str, text: str) -> str:
    return word if word in text.lower() else ""


def _other(name: str, names: tuple[str, ...], rng: np.random.Generator) -> str:
    return str(rng.choice([other for other in names if other != name]))


def encode_readings(
    tokenizer: PreTrainedTokenizerFast, rows: list[Reading]
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Questions before their texts, and the first and last token of each answer; 0 where there is none."""
    batch = tokenizer(
        [row.question for row in rows],
        [row.text for row in rows],
        padding=True,
        return_tensors="pt",
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    firsts, lasts = [], []
    for index, row in enumerate(rows):
        first = last = 0
        start = row.text.lower().find(row.answer) if row.answer else -1
        if start >= 0:
            first = batch.char_to_token(index, start, 1)
            last = batch.char_to_token(index, start + len(row.answer) - 1, 1)
        firsts.append(first)
        lasts.append(last)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    return inputs, torch.tensor(firsts), torch.tensor(lasts)


def train_reader(
    folder: Path,
    model: BertForQuestionAnswering,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    rows: int = 32,
) -> None:
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        inputs, firsts, lasts = encode_readings(tokenizer, [draw_reading(rng) for _ in range(rows)])
        told = model(**inputs)
        entropy = nn.functional.cross_entropy
        return entropy(told.start_logits, firsts) + entropy(told.end_logits, lasts)

    train_part(folder, model, loss_at, plan)
    model.eval()


@torch.no_grad()
def measure_reader(
    model: BertForQuestionAnswering, tokenizer: PreTrainedTokenizerFast, rows: int, seed: int
) -> dict[str, float]:
    """Share of spans found exactly, and of questions without an answer that are left unanswered."""
    rng = np.random.default_rng(seed)
    readings = [draw_reading(rng, Split.TEST) for _ in range(rows)]
    inputs, firsts, lasts = encode_readings(tokenizer, readings)
    told = model.eval()(**inputs)
    right = (told.start_logits.argmax(-1) == firsts) & (told.end_logits.argmax(-1) == lasts)
    said = firsts > 0
    return {
        "answered": round(float(right[said].float().mean()), 3),
        "silent": round(float(right[~said].float().mean()), 3),
    }


def publish_reader(folder: Path, model: BertForQuestionAnswering, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write a half-precision checkpoint with its tokenizer, whole or not at all."""
    half = copy.deepcopy(model).half().eval()

    def write(place: Path) -> None:
        half.save_pretrained(place)
        tokenizer.save_pretrained(place)
        shorten_tokenizer(place)

    publish_folder(folder, write)
    say(f"published {folder}")
