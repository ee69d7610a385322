"""Small vocabularies for the families' own tokenizer classes, and what their repositories have in common."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers.utils import logging

_BYTES = 256
_ASCII = range(0x21, 0x7F)


def byte_level(tokenizer_class: Any, specials: list[str], **options: Any) -> Any:
    """A tokenizer of GPT-2's kind, as Qwen and SmolLM have it: one token a byte, then the special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, *specials])}
    tokenizer = tokenizer_class(vocab=vocabulary, merges=[], **options)
    tokenizer.add_special_tokens({"extra_special_tokens": specials})
    return tokenizer


def byte_fallback(tokenizer_class: Any, specials: list[str], **options: Any) -> Any:
    """A tokenizer of SentencePiece's kind, as Llama and Gemma have it: printable characters, then bytes."""
    pieces = [*(f"<0x{byte:02X}>" for byte in range(_BYTES)), "\u2581", *(chr(code) for code in _ASCII)]
    vocabulary = {token: index for index, token in enumerate([*specials, *pieces])}
    tokenizer = tokenizer_class(vocab=vocabulary, merges=[], **options)
    tokenizer.add_special_tokens({"extra_special_tokens": specials})
    return tokenizer


def drawn(model: Any, seed: int = 0) -> Any:
    """Draw weights so that every part is heard: matrices by their fan-in, not as libraries do."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                fan_in = weight[0].numel()
                weight.normal_(0.0, fan_in**-0.5, generator=generator)
    return model.eval()


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_model(model: Any, folder: Path, shards: int = 1) -> None:
    """Write config and weights: into one safetensors file, or into about so many with their index."""
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    logging.disable_progress_bar()
    model.save_pretrained(folder, max_shard_size=size // shards + 1 if shards > 1 else "1GB")
    logging.enable_progress_bar()
