"""Qwen 1.5 and 2 as `Qwen/Qwen1.5-1.8B-Chat` is laid out: one file, a template that adds a system message."""

from pathlib import Path

from tests.layouts import chatml
from tests.layouts.words import byte_level, drawn, read_json, write_json, write_model

_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou answer questions.<|im_end|>\n' }}{% endif %}"
)


def build(folder: Path) -> None:
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

    tokenizer = byte_level(
        Qwen2Tokenizer,
        chatml.SPECIALS,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="right",
    )
    known = tokenizer.convert_tokens_to_ids
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        use_sliding_window=False,
        bos_token_id=known("<|endoftext|>"),
        eos_token_id=known("<|im_end|>"),
    )
    write_model(drawn(Qwen2ForCausalLM(config)), folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    settings = folder / "tokenizer_config.json"
    write_json(settings, read_json(settings) | {"chat_template": _SYSTEM + chatml.template("")})
    generation = {"do_sample": True, "repetition_penalty": 1.1, "top_p": 0.8}
    generation |= {"eos_token_id": [known("<|im_end|>"), known("<|endoftext|>")]}
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | generation)
