"""Llama 3 as `meta-llama/Llama-3.2-1B-Instruct` is laid out: several ends, none of them to pad with."""

from pathlib import Path

from tests.layouts.words import byte_level, drawn, read_json, write_json, write_model

START, END, TURN = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{- message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{%- endif %}"
)


def build(folder: Path) -> None:
    from transformers import GPT2Tokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<|begin_of_text|>", "<|end_of_text|>", START, END, TURN]
    inner = byte_level(GPT2Tokenizer, specials).backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|begin_of_text|>",
        eos_token=TURN,
        clean_up_tokenization_spaces=True,
    )
    known = tokenizer.convert_tokens_to_ids
    ends = [known("<|end_of_text|>"), known(TURN)]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        },
        tie_word_embeddings=True,
        bos_token_id=known("<|begin_of_text|>"),
        eos_token_id=ends,
    )
    write_model(drawn(LlamaForCausalLM(config)), folder)
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    write_json(settings, read_json(settings) | {"chat_template": TEMPLATE})
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | {"do_sample": True, "temperature": 0.6, "top_p": 0.9})
