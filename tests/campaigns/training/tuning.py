"""A tuning of twenty steps that a worker of the forge runs, and can be killed in the middle of.

Everything that draws random numbers or has a state of its own is on: dropout, own descriptions, two stages,
samples, early stopping.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from blip_core.modeling import load_blip2
from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.training import checkpoints, finetune
from tests.tiny_blip2 import ANSWER_PROMPT, DESCRIBE_PROMPT, make_example, noise_png

WORK = "tests.campaigns.training.tuning:tune"
STEPS = 20
SAVED_EVERY = 3
CHECKPOINTS = "checkpoints"
DIGESTS = "digests.json"

_ROWS = 44
_TRAINED_ROWS = 40  # ten steps an epoch


def settings(**changed: Any) -> Finetune:
    return Finetune(
        adapter=Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.1),
        quantisation="none",
        learning_rate=5e-3,
        epochs=2.0,
        batch_size=4,
        describe_share=0.25,
        own_description_share=0.5,
        eval_every_steps=SAVED_EVERY,  # so that each checkpoint holds a best adapter
        patience=4,
        save_every_steps=SAVED_EVERY,
        sample_rows=2,
    ).model_copy(update=changed)


def tune(home: str, base: str, fatal_step: int = 0, fatal_sync: int = 0, **changed: Any) -> None:
    """Tune, or go on, and note the digests of what came of it.

    Args:
        home: folder for checkpoints and adapter.
        base: folder of the tiny BLIP-2.
        fatal_step: step whose metrics are the last words; 0 for none.
        fatal_sync: as it brings the file or folder of this number to the disk, it dies; 0 for none.
        changed: settings that are others than usual.
    """
    rng = np.random.default_rng(3)
    pictures = [noise_png(rng) for _ in range(_ROWS)]
    rows = [make_example(index, pictures[index // 2], rng) for index in range(_ROWS)]
    prompts = Inference(
        describe_prompt=DESCRIBE_PROMPT, answer_prompt=ANSWER_PROMPT, max_new_tokens=6, batch_size=4
    )
    if fatal_sync:
        checkpoints.sync = _dying(checkpoints.sync, fatal_sync)

    def on_step(step: int, metrics: Mapping[str, float]) -> None:
        if step == fatal_step and step:
            os.kill(os.getpid(), signal.SIGKILL)

    result = finetune(
        load_blip2(Path(base)),
        rows[:_TRAINED_ROWS],
        rows[_TRAINED_ROWS:],
        settings(**changed),
        prompts,
        0,
        Path(home) / "adapter",
        on_step,
        checkpoints=Path(home) / CHECKPOINTS,
    )
    noted = {
        "adapter": _digest((result.adapter / "adapter_model.safetensors").read_bytes()),
        "curve": _digest(json.dumps(result.curve).encode()),
        "samples": _digest(json.dumps([sample.to_row() for sample in result.samples]).encode()),
        "best_step": result.best_step,
        "steps": result.steps,
        "resumed_at": result.counts.resumed_at,
        "tokens": result.counts.tokens,
    }
    (Path(home) / DIGESTS).write_text(json.dumps(noted))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _dying(sync: Callable[[Path], None], count: int) -> Callable[[Path], None]:
    left = count

    def dying(path: Path) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(path)

    return dying
