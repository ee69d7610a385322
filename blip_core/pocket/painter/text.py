"""What the painter reads: its byte-level BPE tokenizer, its CLIP text encoder and their texts."""

import json
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from tokenizers import pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from blip_core.pocket.language import tell_scene
from blip_core.pocket.world import (
    MAX_ITEMS,
    OBJECT_NAMES,
    PLACES,
    TIMES,
    PocketScene,
    Split,
    Style,
    draw_scene,
)

TEXT_TOKENS = 56  # the longest wrapped scene of three groups takes 54
TEXT_WIDTH = 128
_START, _END = "<|startoftext|>", "<|endoftext|>"
_MERGES = 600
_BARE_ONE_IN = 10  # texts told without the recipe's wrapping, so that other wordings are not wholly new


def picture_prompt() -> str:
    """Prompt that the gallery recipe wraps scenes in; holds `{scene}`."""
    text = (files("blip_core.recipes") / "shipped" / "gallery-vqa.toml").read_text()
    return str(tomllib.loads(text)["pictures"]["prompt"])


def tell_painter(scene: PocketScene, prompt: str, rng: np.random.Generator) -> str:
    """Tell a scene as the painter will hear it: mostly wrapped, with or without the full stop."""
    told = tell_scene(scene, rng)
    if rng.random() < 0.5:
        told = told.rstrip(".")
    return told if rng.integers(_BARE_ONE_IN) == 0 else prompt.replace("{scene}", told)


def build_tokenizer(seed: int = 0, texts: int = 4000) -> CLIPTokenizer:
    """Train a CLIP tokenizer on painter's texts; every byte has a token, so no text is unknown to it."""
    rng = np.random.default_rng(seed)
    prompt = picture_prompt()
    corpus = [tell_painter(draw_scene(rng, Style.SHIFTED), prompt, rng) for _ in range(texts)]
    blank = CLIPTokenizer()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) * 2 + _MERGES,
        special_tokens=[_START, _END],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    blank.backend_tokenizer.train_from_iterator(corpus, trainer)
    pairs = json.loads(blank.backend_tokenizer.to_str())["model"]["merges"]
    tokens = [
        *alphabet,
        *(f"{byte}</w>" for byte in alphabet),
        *("".join(pair) for pair in pairs),
        _START,
        _END,
    ]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(
        vocab=vocab, merges=[tuple(pair) for pair in pairs], model_max_length=TEXT_TOKENS, pad_token=_END
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Build an untrained text encoder for a tokenizer."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=384,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TEXT_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def encode_texts(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids, int64, (n, 56), padded as the diffusers pipeline pads."""
    encoded = tokenizer(
        texts, padding="max_length", max_length=TEXT_TOKENS, truncation=True, return_tensors="pt"
    )
    ids: Tensor = encoded.input_ids
    return ids


class SceneReading(nn.Module):
    """A text encoder with heads that read the scene from its last state; the heads only help it to start.

    The target tells place, time and which object stands in each of four places from left to right.
    """

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.place = nn.Linear(TEXT_WIDTH, len(PLACES))
        self.time = nn.Linear(TEXT_WIDTH, len(TIMES))
        self.row = nn.Linear(TEXT_WIDTH, MAX_ITEMS * (len(OBJECT_NAMES) + 1))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        last = self.encoder(ids).last_hidden_state[:, -1]
        return self.place(last), self.time(last), self.row(last).unflatten(1, (MAX_ITEMS, -1))


def scene_targets(scenes: list[PocketScene]) -> tuple[Tensor, Tensor, Tensor]:
    """Class indices, int64: places (n,), times (n,), items in a row (n, 4), 0 where there is none."""
    rows = []
    for scene in scenes:
        row = [1 + OBJECT_NAMES.index(group.name) for group in scene.groups for _ in range(group.count)]
        rows.append(row + [0] * (MAX_ITEMS - len(row)))
    places = torch.tensor([PLACES.index(scene.place) for scene in scenes])
    times = torch.tensor([TIMES.index(scene.time) for scene in scenes])
    return places, times, torch.tensor(rows)


@dataclass(frozen=True)
class TextPart:
    """Text encoder training: read scenes from texts alone, so that words mean something from the start."""

    module: SceneReading
    tokenizer: CLIPTokenizer
    prompt: str
    batch: int = 64

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        scenes = [draw_scene(rng, Style.SHIFTED, Split.TRAIN) for _ in range(self.batch)]
        texts = [tell_painter(scene, self.prompt, rng) for scene in scenes]
        place, time, row = self.module(encode_texts(self.tokenizer, texts))
        places, times, rows = scene_targets(scenes)
        loss = (
            functional.cross_entropy(place, places)
            + functional.cross_entropy(time, times)
            + functional.cross_entropy(row.flatten(0, 1), rows.flatten())
        )
        right = (row.argmax(-1) == rows).float().mean()
        return loss, {"row_accuracy": float(right)}


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write a tokenizer as a checkpoint folder holds it."""
    tokenizer.save_pretrained(folder)
