from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from blip_core.pocket.pretraining import Plan
from blip_core.pocket.tokenizers import build_tokenizer, chat_tokenizer
from blip_core.pocket.world import CATEGORIES
from blip_core.pocket.writer import (
    chat,
    new_writer,
    publish_writer,
    score_lists,
    told_list,
    train_writer,
    write_lists,
)


def test_true_lists_score_full() -> None:
    rng = np.random.default_rng(0)
    categories = list(CATEGORIES)
    scores = score_lists(categories, [told_list(category, rng) for category in categories])
    assert scores["five lines"] == scores["valid"] == scores["on topic"] == 1.0


@pytest.mark.parametrize("text", ["1. A dragon at noon.", "A car in the park at noon."])
def test_other_lists_do_not(text: str) -> None:
    scores = score_lists(["travel"], [text + "\n1. again"])
    assert scores["five lines"] == 0.0
    assert scores["valid"] == 0.0


def test_a_published_writer_is_driven_by_its_chat_template(tmp_path: Path) -> None:
    tokenizer = chat_tokenizer(build_tokenizer())
    model = new_writer(tokenizer, seed=0)
    train_writer(tmp_path / "part", model, tokenizer, Plan(steps=2, peak_lr=1e-3, warmup=1), batch_size=2)
    publish_writer(tmp_path / "final", model, tokenizer)
    loaded = AutoTokenizer.from_pretrained(tmp_path / "final")
    prompt = chat(loaded, "food")
    assert prompt == chat(tokenizer, "food")
    assert prompt.endswith("assistant\n")
    assert loaded(prompt).input_ids == tokenizer(prompt).input_ids
    writer = AutoModelForCausalLM.from_pretrained(tmp_path / "final", dtype=torch.float32)
    assert len(write_lists(writer, loaded, ["food", "travel"])) == 2
