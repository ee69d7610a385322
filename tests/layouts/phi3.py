"""Phi-3 as `microsoft/Phi-3-mini-4k-instruct` is laid out: fused projections, a window, old rope settings."""

from pathlib import Path

from tests.layouts.words import byte_fallback, drawn, read_json, write_json, write_model

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)


def build(folder: Path) -> None:
    from transformers import LlamaTokenizer, Phi3Config, Phi3ForCausalLM

    specials = ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|user|>", "<|end|>"]
    tokenizer = byte_fallback(
        LlamaTokenizer, specials, eos_token="<|endoftext|>", pad_token="<|endoftext|>", padding_side="left"
    )
    known = tokenizer.convert_tokens_to_ids
    config = Phi3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        original_max_position_embeddings=512,
        sliding_window=64,
        pad_token_id=known("<|endoftext|>"),
        bos_token_id=known("<s>"),
        eos_token_id=known("<|endoftext|>"),
    )
    write_model(drawn(Phi3ForCausalLM(config)), folder, shards=2)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    write_json(settings, read_json(settings) | {"chat_template": TEMPLATE})
    ends = {"eos_token_id": [known("<|endoftext|>"), known("<|assistant|>"), known("<|end|>")]}
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | ends)
