"""Doubles for the large models: what they say depends on each row's seed alone, as of the real ones.

A double that went through a script would say something else after a kill than it would have said without.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL.Image import Image
from safetensors.numpy import save_file

from blip_core.recipes import Recipe

ROWS_PER_SHARD = 4
_ONE_IN = 5  # so many labels cannot be parsed at the first try
_NAMES = ("dog", "boat", "tree", "cup")


class SeededWriter:
    """Writes a list of scenes, another for every seed."""

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        return [_scenes(seed) for seed in seeds]

    def close(self) -> None:
        return None


class SeededLabeller:
    """Says one of four well-formed things of a picture, and now and then something else."""

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        return [_label(seed) for seed in seeds]

    def close(self) -> None:
        return None


def stand_in() -> None:
    """Put the doubles in the places of the models, and make shards small."""
    import tasks.label_pictures
    import tasks.predict_variant
    import tasks.shards
    import tasks.write_scenes
    from blip_core.wiring import executors

    def writer(recipe: Recipe) -> SeededWriter:
        return SeededWriter()

    def labeller(recipe: Recipe) -> SeededLabeller:
        return SeededLabeller()

    tasks.write_scenes.build_writer = writer
    tasks.label_pictures.build_labeller = labeller
    tasks.shards.ROWS_PER_SHARD = ROWS_PER_SHARD
    tasks.predict_variant.ROWS_PER_SHARD = ROWS_PER_SHARD
    executors.usable_cores = lambda: 1  # workers in other processes would know no doubles


def small_recipe(models: Path) -> list[str]:
    """Overrides of a recipe whose every sharded stage has several shards and takes next to no time."""
    (models / "unused").mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json"):  # nothing is loaded, but a checkpoint has to be whole
        (models / "unused" / name).write_text("{}")
    save_file({"weight": np.zeros(1, dtype=np.float32)}, models / "unused" / "model.safetensors")
    return [
        "scenes.count=12",
        "scenes.batch_size=1",
        f"scenes.model={models / 'unused'}",
        "source.kind=world",
        "labels.batch_size=2",
        f"labels.model={models / 'unused'}",
        f"baseline={models / 'opt'}",
        f"finetune.base={models / 't5'}",
        "finetune.quantisation=none",
        "finetune.epochs=1",
        "finetune.batch_size=4",
        "inference.quantisation=none",
        "inference.max_new_tokens=4",
        "inference.batch_size=4",
        "evaluation.limit=8",
    ]


def _scenes(seed: int) -> str:
    return "\n".join(f"{line}. Dog number {seed} of {line} runs along the beach." for line in range(1, 6))


def _label(seed: int) -> str:
    if seed % _ONE_IN == 0:
        return "I see something, but I will not say what."
    options = "\n".join(f"{letter}. {name}" for letter, name in zip("ABCD", _NAMES, strict=True))
    return (
        f"Description: Something small stands on the sand, number {seed}.\n\n"
        f"Question: What is shown here?\n{options}\n\nAnswer: {'ABCD'[seed % 4]}"
    )
