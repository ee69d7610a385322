"""A fixed tiny tuning whose losses are kept in `losses.json`: a refactor must not change them.

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
from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.training import finetune
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
    return [row["loss"] for row in result.curve[1:]] + [result.curve[-1]["validation_loss"]]


def record() -> dict[str, Any]:
    losses = {}
    for family, quantisation in CASES:
        with tempfile.TemporaryDirectory() as folder:
            losses[f"{family}-{quantisation}"] = tune_tiny(family, quantisation, Path(folder))
    made_on = {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}
    return {"made_on": made_on, "losses": losses}


if __name__ == "__main__":
    FILE.write_text(json.dumps(record(), indent=2) + "\n", encoding="utf-8")
