"""Qwen2.5-VL as `Qwen/Qwen2.5-VL-7B-Instruct` is laid out: a large picture takes more tokens."""

from pathlib import Path

from tests.layouts import chatml
from tests.layouts.words import byte_level, drawn, read_json, write_json, write_model

PATCH_PX, MERGED = 4, 2
PAD, START, END = "<|image_pad|>", "<|vision_start|>", "<|vision_end|>"


def build(folder: Path) -> None:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

    specials = [*chatml.SPECIALS, START, END, PAD, "<|video_pad|>"]
    tokenizer = byte_level(
        Qwen2Tokenizer, specials, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    known = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6},
        "bos_token_id": known("<|endoftext|>"),
        "eos_token_id": known("<|im_end|>"),
    }
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "patch_size": PATCH_PX,
        "spatial_merge_size": MERGED,
        "window_size": 2 * PATCH_PX * MERGED,
        "fullatt_block_indexes": [1],
    }
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=known(PAD),
        video_token_id=known("<|video_pad|>"),
        vision_start_token_id=known(START),
        vision_end_token_id=known(END),
    )
    write_model(drawn(Qwen2_5_VLForConditionalGeneration(config)), folder, shards=2)
    tokenizer.save_pretrained(folder)
    write_json(folder / "chat_template.json", {"chat_template": chatml.template(START + PAD + END)})
    generation = {
        "do_sample": True,
        "repetition_penalty": 1.05,
        "temperature": 0.1,
        "top_k": 1,
        "top_p": 0.001,
    }
    generation |= {"eos_token_id": [known("<|im_end|>"), known("<|endoftext|>")]}
    path = folder / "generation_config.json"
    write_json(path, read_json(path) | generation)
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_processor_type": "Qwen2VLImageProcessor",
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "max_pixels": 32 * 32,
            "merge_size": MERGED,
            "min_pixels": 8 * 8,
            "patch_size": PATCH_PX,
            "processor_class": "Qwen2_5_VLProcessor",
            "temporal_patch_size": 2,
        },
    )
