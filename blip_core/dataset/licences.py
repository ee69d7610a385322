"""Licences of the checkpoints that shipped profiles name, as they are known here; no card was looked up."""

from collections.abc import Mapping

LICENCES: Mapping[str, str] = {
    "Qwen/Qwen1.5-1.8B-Chat": "Tongyi Qianwen research licence",
    "Qwen/Qwen3-4B-Instruct-2507": "Apache-2.0",
    "Qwen/Qwen3-VL-8B-Instruct": "Apache-2.0",
    "black-forest-labs/FLUX.1-schnell": "Apache-2.0",
    "dreamlike-art/dreamlike-photoreal-2.0": "Dreamlike's own, which restricts commercial use",
    "llava-hf/llava-1.5-7b-hf": "Llama 2 community licence",
    "Salesforce/blip2-opt-2.7b": "MIT",
    "Salesforce/blip2-flan-t5-xl": "MIT",
    "Salesforce/instructblip-flan-t5-xl": "MIT",
}
BUNDLED = "Apache-2.0, as blip-foundry itself"
UNKNOWN = "not known here; its model card says"


def licence_of(checkpoint: str) -> str:
    """Licence of a checkpoint by its id; a local folder's is its owner's to know."""
    if checkpoint.startswith("pocket/"):
        return BUNDLED
    return LICENCES.get(checkpoint, UNKNOWN)
