"""Qwen3 as `Qwen/Qwen3-8B` is laid out: sharded, and it thinks unless the template is told not to."""

from pathlib import Path

from tests.layouts import chatml
from tests.layouts.words import byte_level, drawn, read_json, write_json, write_model


def build(folder: Path) -> None:
    from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

    tokenizer = byte_level(
        Qwen2Tokenizer,
        chatml.SPECIALS,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="right",
    )
    known = tokenizer.convert_tokens_to_ids
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=512,
        bos_token_id=known("<|endoftext|>"),
        eos_token_id=known("<|im_end|>"),
    )
    write_model(drawn(Qwen3ForCausalLM(config)), folder, shards=2)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    write_json(settings, read_json(settings) | {"chat_template": chatml.template("", thinks=True)})
    generation = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95}
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | generation)
