"""InternVL as `OpenGVLab/InternVL3-8B-hf` is laid out: tiles and a thumbnail, shuffled into fewer tokens."""

from pathlib import Path

from tests.layouts import chatml
from tests.layouts.words import byte_level, drawn, write_json, write_model

SIDE_PX, PATCH_PX = 16, 4
TILE_TOKENS = (SIDE_PX // PATCH_PX // 2) ** 2
NAMED = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}


def build(folder: Path) -> None:
    from transformers import InternVLConfig, InternVLForConditionalGeneration, Qwen2Tokenizer

    tokenizer = byte_level(
        Qwen2Tokenizer,
        [*chatml.SPECIALS, *NAMED.values()],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        **NAMED,
    )
    known = tokenizer.convert_tokens_to_ids
    text = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "eos_token_id": known("<|im_end|>"),
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": [SIDE_PX, SIDE_PX],
        "patch_size": [PATCH_PX, PATCH_PX],
    }
    config = InternVLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=known("<IMG_CONTEXT>"),
        image_seq_length=TILE_TOKENS,
        tie_word_embeddings=False,
    )
    write_model(drawn(InternVLForConditionalGeneration(config)), folder, shards=2)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(chatml.template("<IMG_CONTEXT>\n"), encoding="utf-8")
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": TILE_TOKENS, "processor_class": "InternVLProcessor"},
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "crop_to_patches": False,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.485, 0.456, 0.406],
            "image_processor_type": "GotOcr2ImageProcessorFast",
            "image_std": [0.229, 0.224, 0.225],
            "max_patches": 4,
            "min_patches": 1,
            "processor_class": "InternVLProcessor",
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"height": SIDE_PX, "width": SIDE_PX},
        },
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {"processor_class": "InternVLProcessor", "video_processor_type": "InternVLVideoProcessor"},
    )
