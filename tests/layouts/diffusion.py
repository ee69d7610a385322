"""What small pipelines of diffusion models are made of, in the files that each part has on the hub."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers.utils import logging

TOKENS = 77  # that CLIP reads of a prompt
WIDTH = 16
_ASCII = [chr(code) for code in range(0x21, 0x7F)]


def pipeline(folder: Path, kind: str, parts: dict[str, Any], **options: Any) -> None:
    """Write components and `model_index.json`.

    Args:
        folder: of the repository.
        kind: name of the pipeline's class.
        parts: components by name; a pair (library, class) where the files are there already; or None.
        options: further entries of the index.
    """
    logging.disable_progress_bar()
    index: dict[str, Any] = {"_class_name": kind, "_diffusers_version": "0.30.0", **options}
    for name, part in parts.items():
        if isinstance(part, list):
            index[name] = part
            continue
        index[name] = [_library(part), type(part).__name__] if part is not None else [None, None]
        if part is not None:
            part.save_pretrained(folder / name)
    write_json(folder / "model_index.json", index)
    logging.enable_progress_bar()


def _library(part: Any) -> str:
    return type(part).__module__.split(".")[0]


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def clip_tokenizer(folder: Path, pad: str = "<|endoftext|>") -> list[str]:
    """Write the vocabulary and merges of CLIP's tokenizer: one token a byte, or a byte that ends a word."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [*alphabet, *(f"{letter}</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>", "!"]
    write_json(folder / "vocab.json", {name: place for place, name in enumerate(dict.fromkeys(names))})
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    words = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    write_json(folder / "special_tokens_map.json", words | {"pad_token": pad})
    config = words | {"pad_token": pad, "tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS}
    write_json(folder / "tokenizer_config.json", config | {"do_lower_case": True, "add_prefix_space": False})
    return ["transformers", "CLIPTokenizer"]


def t5_tokenizer(folder: Path, tokens: int = 512) -> list[str]:
    """Write the fast form of T5's tokenizer: one token a printable character."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *((c, -3.0) for c in _ASCII)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    write_json(folder / "special_tokens_map.json", words)
    config = words | {"tokenizer_class": "T5Tokenizer", "model_max_length": tokens, "extra_ids": 0}
    write_json(folder / "tokenizer_config.json", config)
    return ["transformers", "T5TokenizerFast"]


def gemma_tokenizer(folder: Path) -> list[str]:
    """Write the fast form of Gemma's tokenizer: one token a printable character."""
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "\u2581", "\n", *_ASCII]
    vocabulary = {name: place for place, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Replace("\u2581", " ")
    tokenizer.post_processor = processors.TemplateProcessing("<bos> $A", special_tokens=[("<bos>", 2)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    config = words | {"tokenizer_class": "GemmaTokenizer", "model_max_length": 4096}
    write_json(folder / "tokenizer_config.json", config)
    return ["transformers", "GemmaTokenizerFast"]


def clip_text(width: int = WIDTH, projected: bool = False) -> Any:
    """CLIP's reader of prompts, with a projection or without."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=514 + 1,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=width,
        max_position_embeddings=TOKENS,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    kind: Any = CLIPTextModelWithProjection if projected else CLIPTextModel
    return drawn(kind(config))


def t5_text(width: int = 2 * WIDTH) -> Any:
    """T5's reader of prompts."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=128, d_model=width, d_kv=8, d_ff=2 * width, num_layers=1, num_heads=2, pad_token_id=0
    )
    return drawn(T5EncoderModel(config))


def autoencoder(channels: int = 4, **options: Any) -> Any:
    """A decoder that doubles the sides of what was denoised."""
    from diffusers import AutoencoderKL

    kind: Any = AutoencoderKL
    return drawn(
        kind(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=channels,
            **options,
        )
    )


def unet(**options: Any) -> Any:
    """A denoiser of Stable Diffusion's kind."""
    from diffusers import UNet2DConditionModel

    kind: Any = UNet2DConditionModel
    shape: dict[str, Any] = {
        "sample_size": 16,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }
    return drawn(kind(**(shape | options)))


def drawn(model: Any, seed: int = 0) -> Any:
    """Draw weights so that prompts are heard in pictures: matrices by their fan-in."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and not re.search(r"embed_positions|pos_embed", name):
                weight.normal_(0.0, weight[0].numel() ** -0.5, generator=generator)
    return model.eval()
