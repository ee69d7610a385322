"""Gemma 3 as `google/gemma-3-4b-it` is laid out: windows, and a picture's tokens see each other."""

from pathlib import Path

from tests.layouts.words import byte_fallback, drawn, read_json, write_json, write_model

SIDE_PX, PATCH_PX, PICTURE_TOKENS = 16, 4, 4
TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{% set opening = messages[0]['content'][0]['text'] + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set opening = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Turns must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{{ opening if loop.first else '' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% else %}{{ part['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def build(folder: Path) -> None:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, GemmaTokenizer

    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    specials += ["<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    tokenizer = byte_fallback(
        GemmaTokenizer,
        specials,
        padding_side="left",
        image_token="<image_soft_token>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
    )
    known = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "query_pre_attn_scalar": 8,
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE_PX,
        "patch_size": PATCH_PX,
        "vision_use_head": False,
    }
    config = Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=PICTURE_TOKENS,
        boi_token_index=known("<start_of_image>"),
        eoi_token_index=known("<end_of_image>"),
        image_token_index=known("<image_soft_token>"),
        eos_token_id=[known("<eos>"), known("<end_of_turn>")],
    )
    write_model(drawn(Gemma3ForConditionalGeneration(config)), folder, shards=2)
    tokenizer.save_pretrained(folder)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
    generation = {"cache_implementation": "hybrid", "do_sample": True, "top_k": 64, "top_p": 0.95}
    generation |= {"eos_token_id": [known("<eos>"), known("<end_of_turn>")]}
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | generation)
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": PICTURE_TOKENS, "processor_class": "Gemma3Processor"},
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_normalize": True,
            "do_pan_and_scan": None,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "Gemma3ImageProcessor",
            "image_seq_length": PICTURE_TOKENS,
            "image_std": [0.5, 0.5, 0.5],
            "processor_class": "Gemma3Processor",
            "resample": 2,
            "rescale_factor": 1 / 255,
            "size": {"height": SIDE_PX, "width": SIDE_PX},
        },
    )
