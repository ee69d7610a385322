"""LLaVA-NeXT as `llava-hf/llava-v1.6-mistral-7b-hf` is laid out: a picture in tiles."""

from pathlib import Path

from tests.layouts.words import byte_fallback, drawn, write_json, write_model

SIDE_PX, PATCH_PX = 16, 8
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}{{ ' ' }}{% else %}"
    "{{ '[INST] ' }}{% endif %}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% if message['role'] != 'assistant' %}{{ ' [/INST]' }}{% endif %}{% endfor %}"
)


def build(folder: Path) -> None:
    from transformers import (
        CLIPVisionConfig,
        LlamaTokenizer,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        MistralConfig,
    )

    tokenizer = byte_fallback(
        LlamaTokenizer,
        ["<unk>", "<s>", "</s>", "<image>", "<pad>"],
        pad_token="<pad>",
        padding_side="left",
        add_bos_token=True,
    )
    text = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=512,
        sliding_window=None,
    )
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=SIDE_PX,
        patch_size=PATCH_PX,
        projection_dim=16,
    )
    pinpoints = [[SIDE_PX, 2 * SIDE_PX], [2 * SIDE_PX, SIDE_PX], [2 * SIDE_PX, 2 * SIDE_PX]]
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pinpoints,
        image_seq_length=(SIDE_PX // PATCH_PX) ** 2,
        tie_word_embeddings=False,
    )
    write_model(drawn(LlavaNextForConditionalGeneration(config)), folder, shards=4)
    tokenizer.save_pretrained(folder)
    write_json(folder / "chat_template.json", {"chat_template": TEMPLATE})
    write_json(
        folder / "processor_config.json",
        {
            "image_token": "<image>",
            "num_additional_image_tokens": 1,
            "patch_size": PATCH_PX,
            "processor_class": "LlavaNextProcessor",
            "vision_feature_select_strategy": "default",
        },
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "aspect_ratio_setting": "anyres",
            "crop_size": {"height": SIDE_PX, "width": SIDE_PX},
            "do_center_crop": True,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_pad": True,
            "do_rescale": True,
            "do_resize": True,
            "image_grid_pinpoints": pinpoints,
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_processor_type": "LlavaNextImageProcessor",
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "processor_class": "LlavaNextProcessor",
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"shortest_edge": SIDE_PX},
        },
    )
