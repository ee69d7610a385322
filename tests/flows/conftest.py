"""The flow on a real embedded Prefect server and a real MLflow database, doubles for large models."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from blip_core.backends.scripted import ScriptedLabeller, ScriptedWriter

SCENES = 12
QUESTIONS = 8


def scripted_writer(recipe) -> ScriptedWriter:
    """Writes lists of scenes without end, no two alike."""

    def lists() -> Iterator[str]:
        number = 0
        while True:
            items = [f"{line}. Dog number {number * 5 + line} runs along the beach." for line in range(1, 6)]
            number += 1
            yield "\n".join(items)

    return ScriptedWriter(lists())


def scripted_labeller(recipe) -> ScriptedLabeller:
    """Says one of four well-formed things of each picture."""
    names = ("dog", "boat", "tree", "cup")
    options = "\n".join(f"{letter}. {name}" for letter, name in zip("ABCD", names, strict=True))
    texts = [
        f"Description: Something small stands on the sand, number {index}.\n\n"
        f"Question: What is shown here?\n{options}\n\nAnswer: {letter}"
        for index, letter in enumerate("ABCD")
    ]
    return ScriptedLabeller(cycle(texts))


@pytest.fixture(scope="session")
def doubles(tiny_blip2, tmp_path_factory) -> list[str]:
    """Overrides that stand tiny models and composed pictures in for the pocket family."""
    unused = tmp_path_factory.mktemp("scripted")
    for name in ("config.json", "tokenizer.json"):  # nothing is loaded, but a checkpoint has to be whole
        (unused / name).write_text("{}")
    save_file({"weight": np.zeros(1, dtype=np.float32)}, unused / "model.safetensors")
    return [
        f"scenes.count={SCENES}",
        f"scenes.model={unused}",
        "source.kind=world",
        f"labels.model={unused}",
        f"baseline={tiny_blip2('opt')}",
        f"finetune.base={tiny_blip2('t5')}",
        "finetune.quantisation=none",
        "finetune.epochs=1",
        "finetune.batch_size=4",
        "inference.quantisation=none",
        "inference.max_new_tokens=4",
        f"evaluation.limit={QUESTIONS}",
    ]


def stand_in_doubles(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tasks.write_scenes.build_writer", scripted_writer)
    patch.setattr("tasks.label_pictures.build_labeller", scripted_labeller)


@pytest.fixture
def use_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_doubles(monkeypatch)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of this test alone."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    return tmp_path
