"""Heads of their own, as flan-t5's: kept, and nothing is said."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from blip_core.modeling import load_blip2
from blip_core.modeling.tying import without_tying_warnings
from tests.tiny_blip2 import FolderOf

HEAD = "language_model.lm_head.weight"


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What transformers logs, once and from warnings on: how loud it is depends on what ran before."""
    logger = logging.getLogger("transformers")
    propagated, logger.propagate = logger.propagate, False
    level = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(caplog.handler)
    yield
    logger.removeHandler(caplog.handler)
    logger.setLevel(level)
    logger.propagate = propagated


@pytest.mark.parametrize("tied", [None, True, False])
def test_a_head_of_its_own_is_loaded_without_a_line(
    tiny_blip2: FolderOf, tmp_path: Path, caplog: pytest.LogCaptureFixture, heard: None, tied: bool | None
) -> None:
    folder = shutil.copytree(tiny_blip2("t5"), tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    weights[HEAD] = torch.full_like(weights["language_model.shared.weight"], 0.5)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    if tied is not None:
        config["text_config"]["tie_word_embeddings"] = tied
        (folder / "config.json").write_text(json.dumps(config))
    model = load_blip2(folder).blip2
    assert caplog.messages == []
    assert torch.equal(model.language_model.lm_head.weight, weights[HEAD])
    assert not torch.equal(model.language_model.shared.weight, weights[HEAD])


@pytest.mark.parametrize("line", ["This checkpoint seem corrupted", "Some weights were not used", "Anything"])
def test_other_warnings_are_heard(caplog: pytest.LogCaptureFixture, heard: None, line: str) -> None:
    with without_tying_warnings():
        logging.getLogger("transformers.modeling_utils").warning(line)
    assert caplog.messages == [line]
