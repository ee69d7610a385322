"""Fixed tunings whose losses are kept in `losses.json`: a refactor must not change them.

Tiny random models, and the pocket recipe itself: its prompts, adapter and settings on its models, a few steps
over the first rows of the bundled evaluation set.

`python -m tests.golden.losses` writes the file anew, for a change that is meant.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blip_core.modeling import load_blip2
from blip_core.modeling.quantisation import Quantisation
from blip_core.pocket import models_dir
from blip_core.recipes import load_recipe
from blip_core.recipes.evaluation import BundledEvaluation
from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.training import TrainingResult, finetune
from blip_core.wiring import evaluation_examples
from tests.tiny_blip2 import ANSWER_PROMPT, DESCRIBE_PROMPT, make_example, noise_png, save_tiny_blip2

FILE = Path(__file__).with_name("losses.json")
CASES: tuple[tuple[str, Quantisation], ...] = (("t5", "none"), ("t5", "nf4"), ("opt", "none"))


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order, however many cores there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


POCKET_CASES: tuple[tuple[str, Quantisation], ...] = (("blip2-t5", "nf4"), ("blip2-opt", "int8"))
POCKET_STEPS = 6


@one_thread()
def tune_pocket(model: str, quantisation: Quantisation, folder: Path) -> list[float]:
    """Losses of the pocket recipe's first steps with one of its models, then the validation loss."""
    recipe = load_recipe("gallery-vqa", "pocket")
    rows = recipe.model_copy(update={"evaluation": BundledEvaluation(kind="bundled")})
    examples = evaluation_examples(rows, folder)
    batch = recipe.finetune.batch_size
    settings = recipe.finetune.model_copy(
        update={
            "quantisation": quantisation,
            "epochs": 1.0,
            "eval_every_steps": POCKET_STEPS,
            "sample_rows": 0,
        }
    )
    bundle = load_blip2(models_dir() / model, quantisation)
    train, validation = examples[: POCKET_STEPS * batch], examples[-batch:]
    result = finetune(bundle, train, validation, settings, recipe.inference, 0, folder / "adapter")
    return _losses(result)


@one_thread()
def tune_tiny(family: str, quantisation: Quantisation, folder: Path) -> list[float]:
    """Losses of six steps, then the validation loss after them."""
    rng = np.random.default_rng(11)
    examples = [make_example(index, noise_png(rng), rng) for index in range(16)]
    bundle = load_blip2(save_tiny_blip2(family, folder / "model"), quantisation)
    settings = Finetune(
        adapter=Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.0),
        learning_rate=5e-3,  # small enough that the last bits of a step do not grow into its loss
        epochs=2.0,
        batch_size=4,
        describe_share=0.25,
        eval_every_steps=6,
    )
    prompts = Inference(describe_prompt=DESCRIBE_PROMPT, answer_prompt=ANSWER_PROMPT)
    result = finetune(bundle, examples[:12], examples[12:], settings, prompts, 0, folder / "adapter")
    return _losses(result)


def _losses(result: TrainingResult) -> list[float]:
    return [row["loss"] for row in result.curve[1:]] + [result.curve[-1]["validation_loss"]]


def record() -> dict[str, Any]:
    losses = {}
    for tune, cases in ((tune_tiny, CASES), (tune_pocket, POCKET_CASES)):
        for model, quantisation in cases:
            with tempfile.TemporaryDirectory() as folder:
                losses[f"{model}-{quantisation}"] = tune(model, quantisation, Path(folder))
    return {"made_on": this_machine(), "losses": losses}


def this_machine() -> dict[str, str]:
    """What decides in which order numbers are added."""
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


def kept() -> dict[str, Any]:
    """Losses by what processors compute with: a processor without AVX-512 multiplies bfloat16 otherwise."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    made = record()
    FILE.write_text(json.dumps(kept() | {made["made_on"]["cpu"]: made}, indent=2) + "\n", encoding="utf-8")
