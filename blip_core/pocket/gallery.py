"""A stock of composed pictures behind the frozen tower, and a Q-Former taught what the composer knows.

The members of the further recipes share both: pictures are rendered and seen once, and each query is asked
for one word, so that a single linear layer can hand a picture on to a language model.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Blip2ForConditionalGeneration, Blip2QFormerModel

from blip_core.pocket.blip2 import QFORMER_WIDTH, QUERY_TOKENS, vision_states
from blip_core.pocket.language import COUNT_WORDS, plural
from blip_core.pocket.pretraining import Plan, publish_tensors, step_rng, train_part
from blip_core.pocket.sentences import draw_dish
from blip_core.pocket.world import (
    OBJECT_NAMES,
    PLACES,
    TIMES,
    PocketScene,
    Split,
    Style,
    draw_scene,
    render,
)

NOTHING = "nothing"
SLOT_WORDS: tuple[tuple[str, ...], ...] = (
    PLACES,
    TIMES,
    OBJECT_NAMES,
    COUNT_WORDS,
    (*OBJECT_NAMES, NOTHING),
    (*COUNT_WORDS, NOTHING),
)
SPOKEN_WORDS = (*PLACES, *TIMES, *OBJECT_NAMES, *map(plural, OBJECT_NAMES), *COUNT_WORDS, NOTHING)
_STATES = "states"
_STATE_NOISE = 0.1  # of their spread; the same pictures are shown several times
_BATCH = 200
_DISH_ONE_IN = 8


@dataclass(frozen=True, slots=True)
class Gallery:
    """Scenes and what the frozen tower makes of their pictures.

    Attributes:
        scenes: the truth, one a picture.
        states: float16, (n, 65, 128).
    """

    scenes: list[PocketScene]
    states: Tensor

    def draw(self, rng: np.random.Generator, size: int) -> tuple[list[PocketScene], Tensor]:
        """Some of the pictures: scenes and float32 states."""
        chosen = rng.choice(len(self.scenes), size=size, replace=False)
        return [self.scenes[index] for index in chosen], self.states[torch.from_numpy(chosen)].float()


def shipped(member: str) -> str:
    """Folder of a bundled checkpoint."""
    return str(files("blip_core.pocket") / "models" / member)


def shipped_blip2() -> Blip2ForConditionalGeneration:
    """The bundled BLIP-2 whose tower and Q-Former the further members start from."""
    model: Blip2ForConditionalGeneration = Blip2ForConditionalGeneration.from_pretrained(
        shipped("blip2-t5"), dtype=torch.float32
    )
    return model


def draw_scenes(pictures: int, rng: np.random.Generator, split: Split) -> list[PocketScene]:
    """Generic scenes of one or two groups, one in eight a dish alone."""
    return [
        draw_dish(rng, split) if index % _DISH_ONE_IN == 0 else draw_scene(rng, Style.GENERIC, split)
        for index in range(pictures)
    ]


def stock_gallery(
    folder: Path, model: Blip2ForConditionalGeneration, pictures: int, seed: int, split: Split = Split.TRAIN
) -> Gallery:
    """Render and see `pictures` pictures, or read from `folder` what an earlier call saw."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{split.value}-{seed}-{pictures}.safetensors"
    rng = np.random.default_rng(seed)
    scenes = draw_scenes(pictures, rng, split)
    if not path.exists():
        pixels = [render(scene, Style.GENERIC, rng).pixels for scene in scenes]
        pieces = [
            vision_states(model, pixels[start : start + _BATCH]) for start in range(0, pictures, _BATCH)
        ]
        publish_tensors(path, {_STATES: torch.cat(pieces).half()}, {})
    return Gallery(scenes, load_file(path)[_STATES])


def slots(scene: PocketScene) -> list[str]:
    """The word each of the first queries must tell: place, time, objects and counts from left to right."""
    words = [scene.place, scene.time]
    for index in range(2):
        group = scene.groups[index] if index < len(scene.groups) else None
        words += [group.name, COUNT_WORDS[group.count - 1]] if group else [NOTHING, NOTHING]
    return words


def slot_texts(scene: PocketScene) -> list[str]:
    """One a query, as a language model spells them: plurals where there are several, and nothing behind."""
    words = slots(scene)
    for index, group in enumerate(scene.groups):
        words[2 + 2 * index] = group.name if group.count == 1 else plural(group.name)
    return words + [NOTHING] * (QUERY_TOKENS - len(words))


class Teller(nn.Module):
    """A Q-Former with its queries and the heads of their words; heads are thrown away."""

    def __init__(self, model: Blip2ForConditionalGeneration) -> None:
        super().__init__()
        self.qformer: Blip2QFormerModel = model.qformer
        self.query_tokens = model.query_tokens
        self.heads = nn.ModuleList(nn.Linear(QFORMER_WIDTH, len(words)) for words in SLOT_WORDS)

    def forward(self, states: Tensor) -> list[Tensor]:
        queries = self.query_tokens.expand(len(states), -1, -1)
        told = self.qformer(query_embeds=queries, encoder_hidden_states=states).last_hidden_state
        return [head(told[:, index]) for index, head in enumerate(self.heads)]


class Speaker(nn.Module):
    """A Q-Former with its queries and one head for the words of them all, as one projection will follow."""

    def __init__(self, model: Blip2ForConditionalGeneration) -> None:
        super().__init__()
        self.qformer: Blip2QFormerModel = model.qformer
        self.query_tokens = model.query_tokens
        self.head = nn.Linear(QFORMER_WIDTH, len(SPOKEN_WORDS))

    def forward(self, states: Tensor) -> Tensor:
        """Vision states (n, patches, width) -> logits of words (n, queries, words)."""
        queries = self.query_tokens.expand(len(states), -1, -1)
        told = self.qformer(query_embeds=queries, encoder_hidden_states=states).last_hidden_state
        logits: Tensor = self.head(told)
        return logits


def spoken_targets(scenes: list[PocketScene]) -> Tensor:
    return torch.tensor([[SPOKEN_WORDS.index(word) for word in slot_texts(scene)] for scene in scenes])


def train_speaker(folder: Path, speaker: Speaker, gallery: Gallery, plan: Plan, pictures: int = 48) -> None:
    """Teach the queries their words as a language model spells them; the vision tower is not touched."""
    speaker.train()

    def loss_at(step: int) -> Tensor:
        scenes, states = gallery.draw(step_rng(plan.seed, step), pictures)
        blurred = states + torch.randn_like(states) * states.std() * _STATE_NOISE
        logits = speaker(blurred)
        return nn.functional.cross_entropy(logits.transpose(1, 2), spoken_targets(scenes))

    train_part(folder, speaker, loss_at, plan)
    speaker.eval()


@torch.no_grad()
def measure_speaker(speaker: Speaker, gallery: Gallery) -> list[float]:
    """Share of right words, one a query."""
    said = speaker(gallery.states.float()).argmax(-1)
    right = (said == spoken_targets(gallery.scenes)).float().mean(0)
    return [round(share, 3) for share in right.tolist()]


def slot_targets(scenes: list[PocketScene]) -> Tensor:
    rows = [
        [words.index(word) for words, word in zip(SLOT_WORDS, slots(scene), strict=True)] for scene in scenes
    ]
    return torch.tensor(rows)


def train_teller(folder: Path, teller: Teller, gallery: Gallery, plan: Plan, pictures: int = 48) -> None:
    """Teach each query its word; the vision tower is not touched."""
    teller.train()

    def loss_at(step: int) -> Tensor:
        scenes, states = gallery.draw(step_rng(plan.seed, step), pictures)
        targets = slot_targets(scenes)
        losses = [
            nn.functional.cross_entropy(logits, targets[:, index])
            for index, logits in enumerate(teller(states))
        ]
        return sum(losses, torch.zeros(()))

    train_part(folder, teller, loss_at, plan)
    teller.eval()


@torch.no_grad()
def measure_teller(teller: Teller, gallery: Gallery) -> list[float]:
    """Share of right words, one a slot."""
    targets = slot_targets(gallery.scenes)
    told = teller(gallery.states.float())
    return [
        round(float((logits.argmax(-1) == targets[:, i]).float().mean()), 3) for i, logits in enumerate(told)
    ]
