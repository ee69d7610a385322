"""Salesforce/blip2-opt-2.7b: two shards with their pickled twins, a tied head in no file, GPT-2's tokens."""

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

_ROWS_IN_STEPS_OF = 64  # as 50,304 rows for 50,266 tokens


def build(folder: Path) -> None:
    """Write the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    image_token = tokenizer.get_vocab_size()
    tokenizer.model.save(str(folder))
    tokenizer.add_special_tokens([_special("<image>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": True,
            "add_prefix_space": False,
            "added_tokens_decoder": added_tokens(tokenizer),
            "bos_token": "</s>",
            "clean_up_tokenization_spaces": True,
            "eos_token": "</s>",
            "errors": "replace",
            "model_max_length": 10**30,
            "pad_token": "<pad>",
            "processor_class": "Blip2Processor",
            "tokenizer_class": "GPT2Tokenizer",
            "unk_token": "</s>",
        },
    )
    marks = {"bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "</s>"}
    write_json(folder / "special_tokens_map.json", marks)
    write_json(folder / "added_tokens.json", {"<image>": image_token})
    write_processor(folder)
    write_json(folder / "generation_config.json", {"_from_model_config": True, "eos_token_id": 50118})
    config = _config(image_token)
    save_weights(folder, config)
    write_json(folder / "config.json", config)
    (folder / "README.md").write_text("# BLIP-2, OPT-2.7b\n")


def _special(text: str) -> Any:
    from tokenizers import AddedToken

    return AddedToken(text, special=True, normalized=False)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 2)])
    return tokenizer


def _config(image_token: int) -> dict[str, Any]:
    rows = -(-(image_token + 1) // _ROWS_IN_STEPS_OF) * _ROWS_IN_STEPS_OF
    return {
        "architectures": ["Blip2ForConditionalGeneration"],
        "image_token_index": image_token,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "model_type": "blip-2",
        "num_query_tokens": QUERIES,
        "qformer_config": QFORMER,
        "text_config": {
            "architectures": ["OPTForCausalLM"],
            "bos_token_id": 2,
            "eos_token_id": 2,
            "ffn_dim": 64,
            "hidden_size": 32,
            "init_std": 0.2,
            "max_position_embeddings": 2048,
            "model_type": "opt",
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "pad_token_id": 1,
            "prefix": "</s>",
            "torch_dtype": "float32",
            "vocab_size": rows,
            "word_embed_proj_dim": 32,
        },
        "torch_dtype": "float32",
        "transformers_version": "4.47.0",
        "use_decoder_only_language_model": True,
        "vision_config": VISION,
    }
