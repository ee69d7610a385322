"""What the benchmark of memory does in a process of its own: one batch of a stage, every row at its longest.

That is what `foundry plan` foretells. Weights are random, in the proportions of `shapes.SHAPES`.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from blip_core.recipes import Recipe, load_recipe
from blip_core.records import Example
from tests.benchmarks.peak import peak_bytes
from tests.benchmarks.questions import random_examples, sentences

OWNER = "bench"  # of the checkpoints, which lie at OWNER/SIZE as one from the hub would
_PICTURE_PX = 64
_LONGEST = 40  # times all sentences: more tokens than any prompt may have


def recipe_of(size: str) -> Recipe:
    """The shipped recipe with the bundled models, but for the BLIP-2 that is tuned and answers."""
    return load_recipe("gallery-vqa", "pocket", [f"finetune.base={OWNER}/{size}", "device.threads=1"])


def encode(recipe: Recipe, folder: Path, place: Path) -> None:
    """Pictures through the vision tower, as many as it sees at once, several times."""
    from blip_core.modeling import load_blip2
    from blip_core.modeling.features import VisionCache, add_all
    from blip_core.modeling.stored_features import TOWER_BATCH

    bundle = load_blip2(folder)
    add_all(VisionCache(bundle, TOWER_BATCH), _rows(3 * TOWER_BATCH))


def finetune(recipe: Recipe, folder: Path, place: Path) -> None:
    """Two steps of a tuning."""
    from blip_core.modeling import load_blip2
    from blip_core.training import finetune as tune
    from blip_core.wiring import inference_settings

    rows = _rows(2 * recipe.finetune.batch_size)
    settings = recipe.finetune.model_copy(update={"epochs": 1.0})
    tune(load_blip2(folder), rows, [], settings, inference_settings(recipe), recipe.seed, place / "adapter")


def predict(recipe: Recipe, folder: Path, place: Path) -> None:
    """One batch of answers."""
    from blip_core.inference import predict as answer
    from blip_core.modeling import load_blip2
    from blip_core.wiring import inference_settings

    settings = inference_settings(recipe)
    answer(load_blip2(folder), random_examples(settings.batch_size, 1, _PICTURE_PX), settings, "measured")


STAGES: Mapping[str, Callable[[Recipe, Path, Path], None]] = {
    "encode": encode,
    "finetune": finetune,
    "predict": predict,
}


def _rows(count: int) -> list[Example]:
    """Rows whose descriptions are longer than any text may be."""
    said = " ".join(sentences() * _LONGEST)
    return [replace(row, description=said) for row in random_examples(count, 1, _PICTURE_PX)]


def measure(stage: str, size: str, models: Path, place: Path) -> dict[str, Any]:
    """The most memory that this process held, in bytes."""
    import torch

    import blip_core.wiring  # noqa: F401 - what a run has loaded, whatever its stage uses of it

    torch.set_num_threads(1)
    STAGES[stage](recipe_of(size), models / OWNER / size, place)
    return {"stage": stage, "size": size, "peak_bytes": peak_bytes()}


if __name__ == "__main__":
    named, sized, models_folder, own_folder = sys.argv[1:]
    sys.stdout.write(json.dumps(measure(named, sized, Path(models_folder), Path(own_folder))) + "\n")
