"""Salesforce/blip2-flan-t5-xl: two shards with their pickled twins, a head of its own, Unigram tokens."""

from pathlib import Path
from typing import Any

from tests.layouts.blip2 import (
    QFORMER,
    QUERIES,
    TEXTS,
    VISION,
    added_tokens,
    save_weights,
    write_json,
    write_processor,
)

_EXTRA_IDS = 100
_SPARE_ROWS = 28  # as 32,128 rows for 32,100 tokens


def build(folder: Path) -> None:
    """Write the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    image_token = tokenizer.get_vocab_size()
    tokenizer.add_special_tokens([_special("<image>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "spiece.model").write_bytes(b"\x0a")  # nobody reads it beside tokenizer.json
    write_json(
        folder / "tokenizer_config.json",
        {
            "added_tokens_decoder": added_tokens(tokenizer),
            "additional_special_tokens": [f"<extra_id_{place}>" for place in range(_EXTRA_IDS)],
            "clean_up_tokenization_spaces": True,
            "eos_token": "</s>",
            "extra_ids": _EXTRA_IDS,
            "model_max_length": 512,
            "pad_token": "<pad>",
            "processor_class": "Blip2Processor",
            "sp_model_kwargs": {},
            "tokenizer_class": "T5Tokenizer",
            "unk_token": "<unk>",
        },
    )
    write_json(
        folder / "special_tokens_map.json", {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    )
    write_json(folder / "added_tokens.json", {"<image>": image_token})
    write_processor(folder)
    config = _config(image_token)
    write_json(
        folder / "generation_config.json",
        {"_from_model_config": True, "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0},
    )
    save_weights(folder, config)
    write_json(folder / "config.json", config)
    (folder / "README.md").write_text("# BLIP-2, Flan T5-xl\n")


def _special(text: str) -> Any:
    from tokenizers import AddedToken

    return AddedToken(text, special=True, normalized=False)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("\n", " "), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    alphabet = [chr(code) for code in range(33, 127)]
    trainer = trainers.UnigramTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([*TEXTS, *"ABCD" * 4, " ".join(alphabet)], trainer)
    tokenizer.add_special_tokens(
        [_special(f"<extra_id_{_EXTRA_IDS - 1 - place}>") for place in range(_EXTRA_IDS)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def _config(image_token: int) -> dict[str, Any]:
    return {
        "architectures": ["Blip2ForConditionalGeneration"],
        "image_token_index": image_token,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "model_type": "blip-2",
        "num_query_tokens": QUERIES,
        "qformer_config": QFORMER,
        "text_config": {
            "architectures": ["T5ForConditionalGeneration"],
            "bos_token_id": 1,
            "d_ff": 64,
            "d_kv": 8,
            "d_model": 32,
            "decoder_start_token_id": 0,
            "dense_act_fn": "gelu",
            "eos_token_id": 1,
            "feed_forward_proj": "gated-gelu",
            "initializer_factor": 2.0,
            "model_type": "t5",
            "num_decoder_layers": 2,
            "num_heads": 4,
            "num_layers": 2,
            "output_past": True,
            "pad_token_id": 0,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
            "vocab_size": image_token + _SPARE_ROWS,
        },
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "transformers_version": "4.47.0",
        "use_decoder_only_language_model": False,
        "vision_config": VISION,
    }
