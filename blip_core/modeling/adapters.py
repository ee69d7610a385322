"""Adapters: attaching, training state, saving, loading.

LoRA changes a linear from W x to W x + (alpha / r) B A x, with B zero at the start (Hu et al.,
arXiv 2106.09685); only A and B are trained. Beside it small parts may be trained in full: a module through
PEFT's `modules_to_save`. What is trained where it stands goes into a file of ours beside PEFT's: the query
tokens, a bare parameter that PEFT forgets, and a whole language model, of which PEFT would hold two.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import torch
from peft import (
    LoraConfig,
    PeftModel,
    TaskType,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from blip_core.adapter_card import (
    CONFIG,
    NO_LORA,
    SIDECARS,
    WEIGHTS,
    AdapterFacts,
    read_facts,
    write_card,
    write_facts,
)
from blip_core.errors import CheckpointError
from blip_core.modeling.adapter_targets import (
    check_adapter,
    check_adapter_fits,
    target_pattern,
    targeted_linears,
    weights_of,
)
from blip_core.modeling.backbones import Family, is_causal
from blip_core.modeling.checkpoints import check_safetensors, refuse_lfs_pointers
from blip_core.modeling.finite import check_weights
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.quantisation import is_quantisable
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter

__all__ = [
    "adapter_state",
    "attach_adapter",
    "begin_with",
    "check_adapter_fits",
    "check_adapter_folder",
    "load_adapter",
    "lora_config",
    "restore_adapter",
    "save_adapter",
    "target_pattern",
    "targeted_linears",
]


def lora_config(adapter: Adapter, family: Family) -> LoraConfig:
    """The PEFT configuration of an adapter."""
    modules = [part for part in adapter.in_full if part not in SIDECARS]
    return LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        # PEFT refuses an empty pattern; this name is its own for an adapter without LoRA.
        target_modules=target_pattern(adapter) or NO_LORA,
        modules_to_save=modules or None,
        bias="none",
        task_type=_task_type(family),
    )


def _task_type(family: Family) -> TaskType:
    return TaskType.CAUSAL_LM if is_causal(family) else TaskType.SEQ_2_SEQ_LM


@contextmanager
def _without_peft_warnings() -> Iterator[None]:
    """PEFT reads an attribute that transformers renamed, and warns of missing weights where we raise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        yield


def attach_adapter(bundle: Blip2Bundle, adapter: Adapter, seed: int) -> Blip2Bundle:
    """Put a fresh adapter into a BLIP-2, in place; it changes no output yet.

    Parts that are trained in full are float32 copies whatever the base is loaded in: updates smaller than a
    bfloat16 shows would be lost.

    Args:
        bundle: a BLIP-2 without adapter.
        adapter: what is trained, and its size.
        seed: of the random factor A.

    Returns:
        The bundle around the PEFT model, of which only the adapter requires gradients.

    Raises:
        RecipeError: The adapter names modules that it cannot sit on.
    """
    check_adapter(bundle.model, adapter, features="fresh")
    full = adapter.in_full
    with torch.random.fork_rng(devices=[]), _without_peft_warnings():
        torch.manual_seed(seed)
        model = get_peft_model(bundle.model, lora_config(adapter, bundle.family))
    tuned = replace(bundle, model=model, full=full)
    for part in full:
        _train_in_full(tuned.blip2, part)
    return tuned


def begin_with(bundle: Blip2Bundle, folder: Path) -> None:
    """Give an attached adapter the weights of a saved one, in place: its training goes on from there.

    Args:
        bundle: a BLIP-2 with an adapter of the same settings.
        folder: of the saved adapter.

    Raises:
        CheckpointError: The folder holds no adapter, or one that does not fit.
    """
    check_adapter_folder(folder)
    if set(_load_sidecars(bundle, folder)) != set(bundle.full) & set(SIDECARS):
        raise CheckpointError(f"the adapter in {folder} does not fit: one of both trains other parts in full")
    _check_all_loaded(bundle.model, folder)
    with _without_peft_warnings():
        try:
            set_peft_model_state_dict(bundle.model, load_file(folder / WEIGHTS))
        except RuntimeError as error:  # weights of other shapes
            raise CheckpointError(f"the adapter in {folder} does not fit this model: {error}") from error


def _train_in_full(blip2: Any, part: str) -> None:
    if part in SIDECARS:
        for weight in weights_of(blip2, part).values():
            weight.requires_grad_(True)
        return
    _compute_in_float32(blip2.get_submodule(part).modules_to_save["default"])


def _compute_in_float32(module: nn.Module) -> None:
    """Let a module of a model in half precision keep and multiply its weights in float32."""
    outside = next(module.parameters()).dtype
    if outside == torch.float32:
        return
    module.float()
    module.register_forward_pre_hook(lambda _, inputs: tuple(one.float() for one in inputs))
    module.register_forward_hook(lambda _, inputs, output: output.to(outside))


def adapter_state(bundle: Blip2Bundle) -> dict[str, torch.Tensor]:
    """All weights that are trained, by name: copies in main memory."""
    trained = ((name, p) for name, p in bundle.model.named_parameters() if p.requires_grad)
    return {name: parameter.detach().to("cpu", copy=True) for name, parameter in trained}


def restore_adapter(bundle: Blip2Bundle, state: dict[str, torch.Tensor]) -> None:
    """Put the weights of `adapter_state` back."""
    parameters = dict(bundle.model.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


def save_adapter(bundle: Blip2Bundle, folder: Path, base: Checkpoint, notes: str = "") -> Path:
    """Save an adapter as PEFT does, and fill in what PEFT leaves out; its card has no scores yet.

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
    config.task_type = _task_type(bundle.family)
    # Embeddings are never tuned; left to itself, PEFT would ask the hub whether they were.
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    for part in _beside(bundle.full):
        weights = weights_of(bundle.blip2, part)
        save_file(
            {name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
            folder / SIDECARS[part],
        )
    write_facts(folder, _facts(bundle, base, notes))
    write_card(folder)
    return folder


def _facts(bundle: Blip2Bundle, base: Checkpoint, notes: str) -> AdapterFacts:
    saved = get_peft_model_state_dict(bundle.model, save_embedding_layers=False)
    beside = [weight for part in _beside(bundle.full) for weight in weights_of(bundle.blip2, part).values()]
    return AdapterFacts(
        base=base.id,
        revision=base.revision or "",
        dtype=base.dtype,
        family=bundle.family,
        quantisation=bundle.quantisation,
        trained=sum(tensor.numel() for tensor in (*beside, *saved.values())),
        full=bundle.full,
        notes=notes,
        peft=peft.__version__,
        backbone=bundle.backbone.name,
    )


def _beside(full: Iterable[str]) -> tuple[str, ...]:
    """Of parts trained in full, those that lie in a file of their own."""
    return tuple(part for part in full if part in SIDECARS)


def load_adapter(bundle: Blip2Bundle, folder: Path) -> Blip2Bundle:
    """Put a saved adapter into a BLIP-2, in place, for inference.

    Raises:
        CheckpointError: The folder holds no adapter, a pickled or damaged one, or one for another model.
    """
    check_adapter_folder(folder)
    full = _load_sidecars(bundle, folder)
    try:
        with _without_peft_warnings():
            model = PeftModel.from_pretrained(
                bundle.model, str(folder), is_trainable=False, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"the adapter in {folder} does not fit this model: {error}") from error
    _check_all_loaded(model, folder)
    modules = tuple(model.peft_config["default"].modules_to_save or ())
    return replace(bundle, model=model.eval(), full=modules + full)


def check_adapter_folder(folder: Path) -> None:
    """Refuse a folder that holds no adapter in safetensors, or one of weights that are no numbers.

    Raises:
        CheckpointError: A file is missing, damaged or a git-lfs pointer, or a weight is NaN or infinite.
    """
    refuse_lfs_pointers(folder / name for name in (CONFIG, WEIGHTS, *SIDECARS.values()))
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has no {name}; an adapter folder holds {CONFIG} and {WEIGHTS}")
    facts = read_facts(folder)
    owed = _beside(facts.full) if facts is not None else ()
    beside = [folder / file for part, file in SIDECARS.items() if part in owed or (folder / file).exists()]
    files = [folder / WEIGHTS, *beside]
    for path in files:
        check_safetensors(path)
    check_weights(files, f"the adapter in {folder}", "train it again with a lower finetune.learning_rate")


def _load_sidecars(bundle: Blip2Bundle, folder: Path) -> tuple[str, ...]:
    """Put saved parts in the place of the model's; gives those that there were."""
    found = tuple(part for part, file in SIDECARS.items() if (folder / file).exists())
    for part in found:
        _load_sidecar(bundle, folder, part)
    return found


def _load_sidecar(bundle: Blip2Bundle, folder: Path, part: str) -> None:
    own = weights_of(bundle.blip2, part)
    if bundle.quantisation != "none" and any(map(is_quantisable, own)):
        raise CheckpointError(
            f"the adapter in {folder} replaces {part}, which is loaded as {bundle.quantisation}; set "
            "inference.quantisation to none"
        )
    saved = load_file(folder / SIDECARS[part])
    shapes = {name: tuple(weight.shape) for name, weight in own.items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in saved.items()}:
        raise CheckpointError(
            f"the adapter in {folder} does not fit this model: {SIDECARS[part]} must hold {_sizes(shapes)}"
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(saved[name])


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    name, shape = next(iter(shapes.items()))
    further = f" and {len(shapes) - 1} weights more" if len(shapes) > 1 else ""
    return f"{name} of shape {shape}{further}"


def _check_all_loaded(model: nn.Module, folder: Path) -> None:
    """PEFT only warns when names do not meet, and then answers as the base would."""
    with safe_open(folder / WEIGHTS, framework="pt") as saved:
        names = set(saved.keys())
    expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    if names != expected:
        odd = sorted(names ^ expected)[0]
        raise CheckpointError(f"the adapter in {folder} does not fit this model: {odd} is on one side only")
