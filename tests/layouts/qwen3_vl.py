"""Qwen3-VL as `Qwen/Qwen3-VL-8B-Thinking` is laid out: features of several depths; it thinks."""

from pathlib import Path

from tests.layouts import chatml
from tests.layouts.words import byte_level, drawn, write_json, write_model

PATCH_PX, MERGED = 4, 2
PAD, START, END = "<|image_pad|>", "<|vision_start|>", "<|vision_end|>"


def build(folder: Path) -> None:
    from transformers import Qwen2Tokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration

    specials = [*chatml.SPECIALS, START, END, PAD, "<|video_pad|>"]
    tokenizer = byte_level(
        Qwen2Tokenizer, specials, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    known = tokenizer.convert_tokens_to_ids
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 5e6},
        "bos_token_id": known("<|endoftext|>"),
        "eos_token_id": known("<|im_end|>"),
    }
    vision = {
        "depth": 3,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "patch_size": PATCH_PX,
        "spatial_merge_size": MERGED,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=known(PAD),
        video_token_id=known("<|video_pad|>"),
        vision_start_token_id=known(START),
        vision_end_token_id=known(END),
    )
    write_model(drawn(Qwen3VLForConditionalGeneration(config)), folder, shards=2)
    tokenizer.chat_template = chatml.template(START + PAD + END, thinks=True)
    tokenizer.save_pretrained(folder)
    sizes = {"size": {"longest_edge": 32 * 32, "shortest_edge": 8 * 8}, "merge_size": MERGED}
    common = {
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "patch_size": PATCH_PX,
        "processor_class": "Qwen3VLProcessor",
        "temporal_patch_size": 2,
    }
    write_json(
        folder / "preprocessor_config.json",
        {"image_processor_type": "Qwen2VLImageProcessorFast", **sizes, **common},
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {"video_processor_type": "Qwen3VLVideoProcessor", **sizes, **common},
    )
