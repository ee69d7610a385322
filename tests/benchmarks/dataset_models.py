"""Writer and labeller of some 20 million random weights, in the hub layouts of `tests.layouts`."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from tests.layouts import llava15, qwen2
from tests.layouts.words import drawn, write_model

WORDS = "a model of 20 M random weights"
_BODY = {
    "hidden_size": 384,
    "intermediate_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "head_dim": 64,
    "max_position_embeddings": 2048,
}
_TOWER = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 6}


def build_writer(folder: Path) -> None:
    """A Qwen2 as deep and wide as its body asks, with the vocabulary of its layout."""
    qwen2.build(folder)
    _enlarge(folder, AutoModelForCausalLM, {"": _BODY | {"layer_types": None}})


def build_labeller(folder: Path) -> None:
    """A LLaVA 1.5 of the same body; a picture takes as many tokens as in its layout."""
    llava15.build(folder)
    _enlarge(folder, AutoModelForImageTextToText, {"text_config": _BODY, "vision_config": _TOWER})


def _enlarge(folder: Path, auto: Any, sizes: dict[str, dict[str, Any]]) -> None:
    config = AutoConfig.from_pretrained(folder)
    content = config.to_dict()
    for part, changes in sizes.items():
        (content[part] if part else content).update(changes)
    for old in folder.glob("*.safetensors*"):
        old.unlink()
    write_model(drawn(auto.from_config(type(config).from_dict(content))), folder)
