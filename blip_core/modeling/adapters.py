"""LoRA adapters: what they sit on, attaching, saving, loading.

An adapter changes a linear from W x to W x + (alpha / r) B A x, with B zero at the start (Hu et al.,
arXiv 2106.09685); only A and B are trained.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from torch import nn

from blip_core.errors import CheckpointError, RecipeError
from blip_core.modeling.architecture import read_architecture
from blip_core.modeling.checkpoints import check_safetensors
from blip_core.modeling.loading import Blip2Bundle, Family
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter

PRESETS = {
    "qformer": r"qformer\..*\.(query|key|value|dense)",
    "qformer-attention": r"qformer\..*\.(query|key|value)",
    "language-attention": r"language_model\..*\.(q|v|q_proj|v_proj)",
    "projection": r"language_projection",
}
# The vision tower runs once per picture and its features are kept, so nothing in it can be tuned.
FORBIDDEN_PARTS = ("vision_model",)

_TASK_TYPES: dict[Family, TaskType] = {"t5": TaskType.SEQ_2_SEQ_LM, "opt": TaskType.CAUSAL_LM}
_CONFIG_NAME = "adapter_config.json"
_WEIGHTS_NAME = "adapter_model.safetensors"


def target_pattern(adapter: Adapter) -> str:
    """Regular expression that full module names must match."""
    if adapter.preset is not None:
        return PRESETS[adapter.preset]
    return adapter.pattern or ""


def targeted_linears(model: nn.Module, adapter: Adapter) -> dict[str, nn.Linear]:
    """The linears an adapter sits on, by full name.

    Works on the `meta` device, so that a wrong pattern is refused before any weight is loaded.

    Raises:
        RecipeError: Nothing matches, something that is no linear does, or a part that must stay as it is.
    """
    pattern = re.compile(target_pattern(adapter))
    matched = {name: module for name, module in model.named_modules() if pattern.fullmatch(name)}
    if not matched:
        raise RecipeError(f"{_named(adapter)} matches no module; {_allowed()}")
    for name, module in matched.items():
        if name.split(".", 1)[0] in FORBIDDEN_PARTS:
            raise RecipeError(
                f"{_named(adapter)} matches {name}, but the vision tower stays frozen; {_allowed()}"
            )
        if not isinstance(module, nn.Linear) or name.endswith("lm_head"):
            raise RecipeError(
                f"{_named(adapter)} matches {name}, on which LoRA cannot sit here; {_allowed()}"
            )
    return {name: module for name, module in matched.items() if isinstance(module, nn.Linear)}


def check_adapter_fits(folder: Path, adapter: Adapter) -> None:
    """Refuse an adapter that cannot sit on a checkpoint, from its config alone.

    Raises:
        CheckpointError: The folder cannot be loaded safely.
        RecipeError: See `targeted_linears`.
    """
    targeted_linears(read_architecture(folder), adapter)


def _named(adapter: Adapter) -> str:
    if adapter.preset is not None:
        return f"finetune.adapter.preset {adapter.preset!r}"
    return f"finetune.adapter.pattern {adapter.pattern!r}"


def _allowed() -> str:
    return "name linears of qformer, language_projection or language_model in full, for example " + repr(
        PRESETS["qformer"]
    )


def lora_config(adapter: Adapter, family: Family) -> LoraConfig:
    """The PEFT configuration of an adapter."""
    return LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=target_pattern(adapter),
        bias="none",
        task_type=_TASK_TYPES[family],
    )


@contextmanager
def _without_peft_warnings() -> Iterator[None]:
    """PEFT reads an attribute that transformers renamed, and warns of missing weights where we raise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        yield


def attach_adapter(bundle: Blip2Bundle, adapter: Adapter, seed: int) -> Blip2Bundle:
    """Put a fresh adapter into a BLIP-2, in place; it changes no output yet.

    Args:
        bundle: a BLIP-2 without adapter.
        adapter: what it sits on, and its size.
        seed: of the random factor A.

    Returns:
        The bundle around the PEFT model, of which only the adapter requires gradients.

    Raises:
        RecipeError: The adapter names modules that it cannot sit on.
    """
    targeted_linears(bundle.model, adapter)
    with torch.random.fork_rng(devices=[]), _without_peft_warnings():
        torch.manual_seed(seed)
        model = get_peft_model(bundle.model, lora_config(adapter, bundle.family))
    return replace(bundle, model=model)


def adapter_state(bundle: Blip2Bundle) -> dict[str, torch.Tensor]:
    """The adapter's weights by name: copies in main memory."""
    trained = ((name, p) for name, p in bundle.model.named_parameters() if p.requires_grad)
    return {name: parameter.detach().to("cpu", copy=True) for name, parameter in trained}


def restore_adapter(bundle: Blip2Bundle, state: dict[str, torch.Tensor]) -> None:
    """Put the weights of `adapter_state` back."""
    parameters = dict(bundle.model.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


def save_adapter(bundle: Blip2Bundle, folder: Path, base: Checkpoint, notes: str = "") -> Path:
    """Save an adapter as PEFT does, and fill in what PEFT leaves out.

    Args:
        bundle: a bundle with an adapter.
        folder: where to; made if need be.
        base: the checkpoint it was tuned on, as the recipe names it.
        notes: what its card should say of its training, in Markdown.
    """
    model: Any = bundle.model
    config = model.peft_config["default"]
    config.base_model_name_or_path = base.id
    config.revision = base.revision
    config.task_type = _TASK_TYPES[bundle.family]
    # Embeddings are never tuned; left to itself, PEFT would ask the hub whether they were.
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").write_text(_card(config, base, bundle, notes), encoding="utf-8")
    return folder


def _card(config: LoraConfig, base: Checkpoint, bundle: Blip2Bundle, notes: str) -> str:
    revision = f"at revision `{base.revision}`" if base.revision else "(revision not recorded)"
    trained = sum(p.numel() for p in bundle.model.parameters() if p.requires_grad)
    size = f"{trained:,} trained parameters, " if trained else ""
    return f"""---
library_name: peft
base_model: {base.id}
tags: [lora, blip-2, visual-question-answering]
---

# LoRA adapter for {base.id}

{size}r = {config.r}, alpha = {config.lora_alpha:g}, dropout = {config.lora_dropout:g}, on modules that match
`{config.target_modules}`. Base: `{base.id}` {revision}; quantisation of its language model while tuning:
`{bundle.quantisation}`.
Made with PEFT {peft.__version__}.

```python
from peft import PeftModel
from transformers import Blip2ForConditionalGeneration

model = Blip2ForConditionalGeneration.from_pretrained(BASE_FOLDER)
model = PeftModel.from_pretrained(model, ADAPTER_FOLDER)
```

{notes}
"""


def load_adapter(bundle: Blip2Bundle, folder: Path) -> Blip2Bundle:
    """Put a saved adapter into a BLIP-2, in place, for inference.

    Raises:
        CheckpointError: The folder holds no adapter, a pickled or damaged one, or one for another model.
    """
    check_adapter_folder(folder)
    try:
        with _without_peft_warnings():
            model = PeftModel.from_pretrained(
                bundle.model, str(folder), is_trainable=False, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"the adapter in {folder} does not fit this model: {error}") from error
    _check_all_loaded(model, folder)
    return replace(bundle, model=model.eval())


def check_adapter_folder(folder: Path) -> None:
    """Refuse a folder that holds no adapter in safetensors.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    for name in (_CONFIG_NAME, _WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} has no {name}; an adapter folder holds {_CONFIG_NAME} and {_WEIGHTS_NAME}"
            )
    check_safetensors(folder / _WEIGHTS_NAME)


def _check_all_loaded(model: PeftModel, folder: Path) -> None:
    """PEFT only warns when names do not meet, and then answers as the base would."""
    with safe_open(folder / _WEIGHTS_NAME, framework="pt") as saved:
        names = set(saved.keys())
    expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    if names != expected:
        odd = sorted(names ^ expected)[0]
        raise CheckpointError(f"the adapter in {folder} does not fit this model: {odd} is on one side only")
