"""SmolVLM as `HuggingFaceTB/SmolVLM-Instruct` is laid out, an Idefics3: tiles, each marked."""

from pathlib import Path

from tests.layouts.words import byte_level, drawn, write_json, write_model

SIDE_PX, PATCH_PX, MERGED = 16, 4, 2
MOST_ROWS = 6  # the processor knows rows and columns up to here by their marks
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{{ ':' if message['content'][0]['type'] == 'image' else ': ' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{{ '<end_of_utterance>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def build(folder: Path) -> None:
    from transformers import GPT2Tokenizer, Idefics3Config, Idefics3ForConditionalGeneration

    tiles = [
        f"<row_{row}_col_{column}>" for row in range(1, MOST_ROWS + 1) for column in range(1, MOST_ROWS + 1)
    ]
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<end_of_utterance>", "<image>"]
    specials += ["<fake_token_around_image>", "<global-img>", *tiles]
    tokenizer = byte_level(
        GPT2Tokenizer,
        specials,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
        padding_side="left",
    )
    known = tokenizer.convert_tokens_to_ids
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 1024,
        "pad_token_id": known("<|im_end|>"),
        "eos_token_id": known("<end_of_utterance>"),
        "bos_token_id": known("<|im_start|>"),
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE_PX,
        "patch_size": PATCH_PX,
    }
    config = Idefics3Config(
        text_config=text,
        vision_config=vision,
        image_token_id=known("<image>"),
        scale_factor=MERGED,
        pad_token_id=known("<|im_end|>"),
    )
    write_model(drawn(Idefics3ForConditionalGeneration(config)), folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
    write_json(
        folder / "processor_config.json",
        {"image_seq_len": (SIDE_PX // PATCH_PX // MERGED) ** 2, "processor_class": "Idefics3Processor"},
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_convert_rgb": True,
            "do_image_splitting": True,
            "do_normalize": True,
            "do_pad": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "Idefics3ImageProcessor",
            "image_std": [0.5, 0.5, 0.5],
            "max_image_size": {"longest_edge": SIDE_PX},
            "processor_class": "Idefics3Processor",
            "resample": 1,
            "rescale_factor": 1 / 255,
            "size": {"longest_edge": 2 * SIDE_PX},
        },
    )
