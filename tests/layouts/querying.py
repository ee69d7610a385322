"""What models with a Q-Former have in common on the hub: parts, sizes, tokenizers, files."""

import json
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from transformers.utils import logging

PICTURE_PX, PATCH_PX = 16, 8
WIDTH = 32
QUERIES = 4
SEED = 0
_BYTES = 256
_SPACE = "\u2581"  # how SentencePiece writes the space in front of a word
_CHARACTERS = string.ascii_letters + string.digits + string.punctuation


def parts(qformer: dict[str, Any] | None = None) -> dict[str, Any]:
    """Configs of vision tower and Q-Former."""
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": PICTURE_PX,
        "patch_size": PATCH_PX,
        "initializer_range": 0.2,
    }
    querying = {
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "encoder_hidden_size": WIDTH,
        **(qformer or {}),
    }
    return {"vision_config": vision, "qformer_config": querying, "num_query_tokens": QUERIES}


def llama_config(vocabulary: int, **more: Any) -> dict[str, Any]:
    """A language model of Llama's shape, whose heads share keys."""
    return {
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **more,
    }


def llama_tokenizer() -> Any:
    """Characters, with and without a space in front, then bytes; one special token for all, as in Vicuna."""
    from transformers import LlamaTokenizer

    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(_BYTES)), _SPACE, *_CHARACTERS]
    merges = [(_SPACE, character) for character in _CHARACTERS]
    pieces += ["".join(merge) for merge in merges]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = LlamaTokenizer(vocab=vocabulary, merges=merges, bos_token="</s>", add_bos_token=True)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    return with_image_token(tokenizer)


def t5_tokenizer() -> Any:
    """Characters, with and without a space in front."""
    from transformers import T5Tokenizer

    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(_SPACE, -3.0), *((character, -3.0) for character in _CHARACTERS)]
    pieces += [(f"{_SPACE}{character}", -2.0) for character in _CHARACTERS]
    return with_image_token(T5Tokenizer(vocab=specials + pieces, extra_ids=0))


def bert_tokenizer() -> Any:
    """Characters as first or later ones of a word, in lower case; `[DEC]` was added in training."""
    from transformers import BertTokenizer

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    first = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = specials + first + [f"##{character}" for character in first]
    tokenizer = BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)})
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    return tokenizer


def with_image_token(tokenizer: Any) -> Any:
    tokenizer.add_tokens([AddedToken("<image>", normalized=False, special=True)], special_tokens=True)
    return tokenizer


def write_instructblip(folder: Path, tokenizer: Any, text: dict[str, Any]) -> None:
    """Write an InstructBLIP with a language model and its tokenizer; see `write`."""
    from transformers import InstructBlipConfig, InstructBlipForConditionalGeneration

    qformer_tokenizer = bert_tokenizer()
    words = {"vocab_size": len(qformer_tokenizer), "max_position_embeddings": 192, "initializer_range": 0.2}
    config = InstructBlipConfig(
        text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<image>"), **parts(words)
    )
    write(
        folder,
        InstructBlipForConditionalGeneration,
        config,
        "InstructBlipProcessor",
        tokenizer=tokenizer,
        qformer_tokenizer=qformer_tokenizer,
    )


def write(folder: Path, model_class: Any, config: Any, processor: str, **tokenizers: Any) -> None:
    """Write a repository as it lies on the hub: weights in two shards, a config for each part.

    Args:
        folder: where to.
        model_class: of the model.
        config: of the model.
        processor: name of its processor's class.
        tokenizers: by attribute of the processor; `tokenizer` lies at the root, others in their own folders.
    """
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = model_class(config)
        for part in (model.vision_model, model.qformer):
            for weight in part.parameters():
                if weight.ndim > 1:  # by their fan-in, so that a picture and what is asked are heard
                    torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        torch.nn.init.normal_(model.query_tokens, std=0.5)
        torch.nn.init.normal_(model.language_projection.weight, std=0.5)
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    logging.disable_progress_bar()
    model.save_pretrained(folder, max_shard_size=size // 2 + 1)
    logging.enable_progress_bar()
    BlipImageProcessorPil(size={"height": PICTURE_PX, "width": PICTURE_PX}).save_pretrained(folder)
    for name, tokenizer in tokenizers.items():
        tokenizer.save_pretrained(folder if name == "tokenizer" else folder / name)
    told = {"num_query_tokens": QUERIES, "processor_class": processor}
    (folder / "processor_config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
