"""What an adapter trains: the linears that LoRA sits on, and parts that are trained in full.

Everything here works on the `meta` device, so that a mistake is refused before any weight is loaded.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from torch import nn

from blip_core.errors import RecipeError
from blip_core.modeling.architecture import read_architecture
from blip_core.modeling.quantisation import Quantisation, is_quantisable
from blip_core.recipes.finetune import Adapter, AdapterPreset, FullPart

Features = Literal["cached", "fresh"]

VISION_TOWER = "vision_model"
PRESETS: Mapping[AdapterPreset, str] = {
    "qformer": r"qformer\..*\.(query|key|value|dense)",
    "qformer-attention": r"qformer\..*\.attention\.attention\.(query|value)",
    "language-attention": r"language_model\..*\.(q|v|q_proj|v_proj)",
    "language-attention-qk": r"language_model\..*\.(q|k|q_proj|k_proj)",
    "projection": "",
    "projection-queries": "",
    "language-model": "",
}
"""Full names of the linears that LoRA sits on, as a regular expression; empty where it sits on none."""

_HEAD = "lm_head"


def target_pattern(adapter: Adapter) -> str:
    """Regular expression that full module names must match; empty where LoRA sits on nothing."""
    return PRESETS[adapter.preset] if adapter.preset is not None else adapter.pattern or ""


def weights_of(model: nn.Module, part: str) -> dict[str, nn.Parameter]:
    """The weights of a part, by full name; those that are shared once."""
    return {
        name: weight
        for name, weight in model.named_parameters()
        if name == part or name.startswith(f"{part}.")
    }


def targeted_linears(
    model: nn.Module, adapter: Adapter, features: Features = "cached"
) -> dict[str, nn.Linear]:
    """The linears that LoRA sits on, by full name.

    Args:
        model: a BLIP-2 without adapter.
        adapter: what is trained.
        features: whether the vision tower runs for every batch (`fresh`), so that it may be tuned.

    Raises:
        RecipeError: Nothing matches, something that is no linear does, or a part that must stay as it is.
    """
    text = target_pattern(adapter)
    if adapter.preset is not None and not text:
        return {}
    pattern = re.compile(text)
    matched = {name: module for name, module in model.named_modules() if pattern.fullmatch(name)}
    if not matched:
        raise RecipeError(f"{_named(adapter)} matches no module of this model; {_linears_of(model)}")
    for name, module in matched.items():
        _check_target(model, adapter, features, name, module)
    return {name: module for name, module in matched.items() if isinstance(module, nn.Linear)}


def _check_target(
    model: nn.Module, adapter: Adapter, features: Features, name: str, module: nn.Module
) -> None:
    part = name.split(".", 1)[0]
    if part == VISION_TOWER and features == "cached":
        raise RecipeError(
            f"{_named(adapter)} matches {name}, but finetune.features is cached: what the vision tower gives "
            "is kept for all epochs, so that nothing in it can be tuned; set finetune.features to fresh, "
            f"or {_linears_of(model)}"
        )
    if not isinstance(module, nn.Linear):
        kind = type(module).__name__
        raise RecipeError(
            f"{_named(adapter)} matches {name}, which is not a linear but {kind}; {_linears_of(model)}"
        )
    if name.endswith(_HEAD):
        raise RecipeError(
            f"{_named(adapter)} matches {name}, which may share its weights with the embeddings and stays as "
            f"it is; {_linears_of(model)}"
        )
    if part in adapter.in_full:
        raise RecipeError(
            f"{_named(adapter)} matches {name}, which finetune.adapter trains in full already; take it out "
            "of the one or the other"
        )


def full_sizes(
    model: nn.Module, adapter: Adapter, quantisation: Quantisation = "none"
) -> dict[FullPart, int]:
    """Weights of each part that is trained in full.

    Raises:
        RecipeError: The model has no such part, or stores it quantised.
    """
    sizes: dict[FullPart, int] = {}
    for part in adapter.in_full:
        found = weights_of(model, part)
        if not found:
            raise RecipeError(f"{_named(adapter)} trains {part} in full, and this model has no such part")
        loaded_so = not all(tensor.is_floating_point() for tensor in found.values())
        if loaded_so or (quantisation != "none" and any(map(is_quantisable, found))):
            raise RecipeError(
                f"{_named(adapter)} trains {part} in full, but it is quantised, and what is quantised cannot "
                "be trained in full; set finetune.quantisation to none, or put LoRA on it"
            )
        sizes[part] = sum(tensor.numel() for tensor in found.values())
    return sizes


def check_adapter(
    model: nn.Module, adapter: Adapter, features: Features = "cached", quantisation: Quantisation = "none"
) -> None:
    """Refuse an adapter that cannot sit on a model.

    Raises:
        RecipeError: See `targeted_linears` and `full_sizes`.
    """
    targeted_linears(model, adapter, features)
    full_sizes(model, adapter, quantisation)


def check_adapter_fits(
    folder: Path, adapter: Adapter, features: Features = "cached", quantisation: Quantisation = "none"
) -> None:
    """Refuse an adapter that cannot sit on a checkpoint, from its config alone.

    Raises:
        CheckpointError: The folder cannot be loaded safely.
        RecipeError: See `check_adapter`.
    """
    check_adapter(read_architecture(folder), adapter, features, quantisation)


def tunes_vision_tower(model: nn.Module) -> bool:
    """Whether a model carries an adapter inside its vision tower: its features are then its own."""
    return any(VISION_TOWER in name.split(".") and ".lora_" in name for name, _ in model.named_parameters())


def _named(adapter: Adapter) -> str:
    if adapter.preset is not None:
        return f"finetune.adapter.preset {adapter.preset!r}"
    return f"finetune.adapter.pattern {adapter.pattern!r}"


def _linears_of(model: nn.Module) -> str:
    """What a pattern can name, in words: the last names of the linears of each part."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, module in model.named_modules():
        part, _, inside = name.partition(".")
        if isinstance(module, nn.Linear) and part != VISION_TOWER and not name.endswith(_HEAD):
            found[part].add(inside.rpartition(".")[2])
    parts = [f"{part} ({_listed(sorted(names))})" if any(names) else part for part, names in found.items()]
    return f"name linears in full, as {PRESETS['qformer']!r}: those of {_listed(parts)}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
