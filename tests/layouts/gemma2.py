"""Gemma 2 as `google/gemma-2-2b-it` is laid out: capped logits, windows, and no system message."""

from pathlib import Path

from tests.layouts.words import byte_fallback, drawn, read_json, write_json, write_model

TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{{ message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def build(folder: Path) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM, GemmaTokenizer

    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    tokenizer = byte_fallback(GemmaTokenizer, specials, padding_side="left")
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=512,
        query_pre_attn_scalar=8,
        sliding_window=16,
    )
    write_model(drawn(Gemma2ForCausalLM(config)), folder, shards=2)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    write_json(settings, read_json(settings) | {"chat_template": TEMPLATE})
    generation = {
        "cache_implementation": "hybrid",
        "eos_token_id": tokenizer.convert_tokens_to_ids(["<eos>", "<end_of_turn>"]),
    }
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | generation)
