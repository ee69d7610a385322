"""Scenes and labels behind our backends, and row by row as the sources have it.

Row by row, a prompt goes through tokenizer or processor, `generate` and back alone. Its tokens are drawn
under the row's seed as ours are, so that both sides can be held against each other text by text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    LogitsProcessorList,
)

from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.sampling import Sampling, SeededSampler, forget_sampling_defaults
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.pocket import models_dir
from blip_core.pocket.composer import Composer
from blip_core.ports import row_seed
from blip_core.recipes import load_recipe
from blip_core.recipes.labels import Labels
from blip_core.recipes.scenes import Scenes
from blip_core.scenes import scene_prompt
from tests.benchmarks.dataset_work import Work

Build = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Texts:
    """Rows that are written, and by what.

    Attributes:
        rows: how many.
        batch_size: ours; None takes the profile's.
        max_new_tokens: longest text; None takes the profile's.
        build: writes a model's folder; None takes the bundled one.
        words: the model, for people.
    """

    rows: int
    batch_size: int | None = None
    max_new_tokens: int | None = None
    build: Build | None = None
    words: str = "the bundled model"

    def folder(self, bundled: str, place: Path) -> Path:
        if self.build is None:
            return models_dir() / bundled
        folder = place / bundled
        folder.mkdir()
        self.build(folder)
        return folder

    def changes(self) -> dict[str, int]:
        asked = {"batch_size": self.batch_size, "max_new_tokens": self.max_new_tokens}
        return {name: value for name, value in asked.items() if value is not None}


def scenes(texts: Texts, place: Path) -> Work:
    """Lists of scenes, as the shipped recipe asks for them."""
    recipe = load_recipe("gallery-vqa", "pocket")
    settings, folder = recipe.scenes.model_copy(update=texts.changes()), texts.folder("writer", place)
    asked = [settings.categories[row % len(settings.categories)] for row in range(texts.rows)]
    prompts = [scene_prompt(category, settings) for category in asked]
    seeds = [row_seed(recipe.seed, "scenes", row) for row in range(texts.rows)]
    writer = TransformersWriter(folder, sampling_of(settings))
    auto: Any = AutoTokenizer
    tokenizer = auto.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    forget_sampling_defaults(model, tokenizer)

    def alone(prompt: str, seed: int) -> str:
        turn = [{"role": "user", "content": prompt.strip()}]
        framed = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        inputs = tokenizer(framed, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
        return continued(model, tokenizer, inputs, seed, settings)

    return Work(
        texts.rows,
        lambda: in_batches(settings.batch_size, writer.write, prompts, seeds),
        lambda: [alone(*row) for row in zip(prompts, seeds, strict=True)],
        eq,
        f"lists of {settings.per_call} scenes by {texts.words}, {settings.batch_size} at once",
    )


def labels(texts: Texts, place: Path) -> Work:
    """Labels of composed pictures, as the shipped recipe asks for them."""
    recipe = load_recipe("gallery-vqa", "pocket")
    settings, folder = recipe.labels.model_copy(update=texts.changes()), texts.folder("llava", place)
    seeds = [row_seed(recipe.seed, "labels", row) for row in range(texts.rows)]
    pictures = Composer("shifted").paint([""] * texts.rows, seeds)
    labeller = ImageTextLabeller(folder, sampling_of(settings))
    auto: Any = AutoProcessor
    processor = auto.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    forget_sampling_defaults(model, processor.tokenizer)

    def alone(picture: Image, seed: int) -> str:
        inputs = processor(images=picture, text=settings.prompt, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        return continued(model, processor.tokenizer, inputs, seed, settings)

    asked = [settings.prompt] * texts.rows
    return Work(
        texts.rows,
        lambda: in_batches(settings.batch_size, labeller.label, pictures, asked, seeds),
        lambda: [alone(*row) for row in zip(pictures, seeds, strict=True)],
        eq,
        f"labels of pictures by {texts.words}, {settings.batch_size} at once",
    )


def sampling_of(settings: Scenes | Labels) -> Sampling:
    return Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)


def in_batches(size: int, work: Callable[..., list[str]], *columns: Sequence[Any]) -> list[str]:
    rows = len(columns[0])
    parts = ([column[start : start + size] for column in columns] for start in range(0, rows, size))
    return [text for part in parts for text in work(*part)]


def continued(model: Any, tokenizer: Any, inputs: Any, seed: int, settings: Scenes | Labels) -> str:
    """What one row's prompt is continued with."""
    with torch.inference_mode():
        tokens = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=settings.max_new_tokens,
            logits_processor=LogitsProcessorList([SeededSampler([seed], sampling_of(settings))]),
        )
    text: str = tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return text.strip()
