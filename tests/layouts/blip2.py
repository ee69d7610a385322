"""What both BLIP-2 layouts share: towers, sharded safetensors with an index, and their pickled twins."""

import json
import re
from pathlib import Path
from typing import Any

VISION = {
    "model_type": "blip_2_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 16,
    "patch_size": 8,
    "initializer_range": 0.2,
}
QFORMER = {
    "model_type": "blip_2_qformer",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "encoder_hidden_size": 32,
    "vocab_size": 30523,  # of a table that BLIP-2 never reads
}
QUERIES = 4
PREPROCESSOR = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "BlipImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "processor_class": "Blip2Processor",
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"height": 16, "width": 16},
}
TEXTS = [
    "USER: Look at the image and the question, and write a description.",
    "Question: What is in the picture? Description: A dog on the beach. ASSISTANT:",
    "Use the image, the description and the question to choose the best option: A, B, C or D.",
    "A. a red boat\nB. a green tree\nC. a cup of tea\nD. a bus\n\nAnswer: A B C D",
] * 4


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_processor(folder: Path) -> None:
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    settings = {"num_query_tokens": QUERIES, "processor_class": "Blip2Processor"}
    write_json(folder / "processor_config.json", settings)


def save_weights(folder: Path, config: dict[str, Any], shards: int = 2) -> None:
    """Random weights in shards with an index, as safetensors and once more as pickles."""
    import torch
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Blip2ForConditionalGeneration(Blip2Config.from_dict(dict(config)))
        torch.nn.init.normal_(model.query_tokens, std=0.5)
        torch.nn.init.normal_(model.language_projection.weight, std=0.5)
    if config.get("tie_word_embeddings") is False:  # as version 4 loads and saves it
        table = model.language_model.shared.weight
        model.language_model.lm_head.weight = torch.nn.Parameter(torch.randn_like(table))
    bytes_whole = sum(weight.numel() * 4 for weight in model.state_dict().values())
    model.save_pretrained(folder, max_shard_size=f"{bytes_whole // 1000 // shards + 40}KB")
    for name in ("config.json", "generation_config.json"):
        (folder / name).unlink(missing_ok=True)
    _pickle_twins(folder)


def _pickle_twins(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    for path in sorted(folder.glob("model*.safetensors")):
        torch.save(load_file(path), folder / _pickled(path.name))
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] = {key: _pickled(name) for key, name in content["weight_map"].items()}
    write_json(folder / "pytorch_model.bin.index.json", content)


def _pickled(name: str) -> str:
    return re.sub(r"^model(.*)\.safetensors$", r"pytorch_model\1.bin", name)


def as_before_2024_ended(folder: Path) -> None:
    """The same repository without an image token in config, processor and tokenizer, as older copies are."""
    config = json.loads((folder / "config.json").read_text())
    del config["image_token_index"]
    write_json(folder / "config.json", config)
    (folder / "processor_config.json").unlink()
    (folder / "added_tokens.json").unlink(missing_ok=True)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    kept = [token for token in tokenizer["added_tokens"] if token["content"] != "<image>"]
    write_json(folder / "tokenizer.json", tokenizer | {"added_tokens": kept})
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    decoder = settings["added_tokens_decoder"]
    settings["added_tokens_decoder"] = {
        key: token for key, token in decoder.items() if token["content"] != "<image>"
    }
    write_json(folder / "tokenizer_config.json", settings)


def added_tokens(tokenizer: Any) -> dict[str, Any]:
    """Special tokens by number, as `tokenizer_config.json` lists them."""
    return {
        str(number): {
            "content": token.content,
            "lstrip": token.lstrip,
            "normalized": token.normalized,
            "rstrip": token.rstrip,
            "single_word": token.single_word,
            "special": token.special,
        }
        for number, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }
