"""Which tuning a checkpoint belongs to: what must be equal for its steps to be this tuning's steps."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from blip_core import strict_json
from blip_core.modeling.features import picture_key
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Example

VERSION = 1  # of how steps are planned and taken; another one makes other steps of the same recipe

_WEIGHTS_READ = 64  # of each parameter: enough to tell one training of a base from another
_VISION_TOWER = "vision_model."

Fingerprint = dict[str, Any]


def fingerprint(
    bundle: Blip2Bundle,
    train: Sequence[Example],
    validation: Sequence[Example],
    settings: Finetune,
    prompts: Inference,
    seed: int,
    start: Path | None = None,
) -> Fingerprint:
    """Plain values where a person could compare them, digests for rows and weights.

    Args:
        bundle: the base, before an adapter is attached.
        train: examples to learn.
        validation: examples to choose the best step by.
        settings: section of the recipe.
        prompts: the wording of both stages.
        seed: of the tuning.
        start: folder of the adapter that is gone on from.
    """
    begun = {"start": _files_digest(start)} if start else {}
    return {
        "version": VERSION,
        "finetune": settings.model_dump(mode="json"),
        # Lengths and batches of inference act on own descriptions and samples alone, which are kept.
        "prompts": {
            "describe": prompts.describe_prompt,
            "answer": prompts.answer_prompt,
            **prompts.further_prompts,
        },
        "seed": seed,
        "train": _rows_digest(train),
        "validation": _rows_digest(validation),
        "base": {"quantisation": bundle.quantisation, "weights": weights_digest(bundle.model)},
        **begun,
    }


def differences(saved: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, field by field, in words."""
    before, after = _flat(saved), _flat(own)
    names = [name for name in before | after if before.get(name) != after.get(name)]
    return [_told(name, before.get(name), after.get(name)) for name in names]


def _told(name: str, before: Any, after: Any) -> str:
    if name in ("train", "validation"):
        return f"the {name} rows differ"
    if name == "base.weights":
        return "the base has different weights"
    if name == "start":
        return "it goes on from another adapter"
    return f"{name} was {strict_json.dumps(before)} and is {strict_json.dumps(after)}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _files_digest(folder: Path) -> str:
    """Digest of the weights in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _rows_digest(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        row = {**example.to_row(), "image": picture_key(example.image)}
        if not example.context:
            del row["context"]  # so that tunings begun before there was any go on
        digest.update(strict_json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def weights_digest(model: nn.Module) -> str:
    """Digest of names, shapes, types and some values of all parameters behind the vision tower."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if name.startswith(_VISION_TOWER):
            continue
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
        flat = parameter.detach().flatten()
        some = flat[:: max(1, flat.numel() // _WEIGHTS_READ)].cpu().contiguous()
        digest.update(some.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
