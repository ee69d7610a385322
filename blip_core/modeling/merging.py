"""An adapter merged into its base: a dense checkpoint that transformers loads alone.

LoRA's update is added to the weight it sits on, W + (alpha / r) B A; parts trained in full take the place of
the base's. That is done in float32 and checked against base and adapter; rounding to a smaller type is last.
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from blip_core import strict_json
from blip_core.adapter_card import CARD, CONFIG, read_facts
from blip_core.errors import CheckpointError
from blip_core.modeling.adapters import check_adapter_folder, load_adapter
from blip_core.modeling.backbones import Backbone, backbone_of
from blip_core.modeling.checkpoints import check_checkpoint_folder, read_json
from blip_core.modeling.loading import Blip2Bundle, load_blip2, without_bars
from blip_core.modeling.transformers4 import part_head, write_for_both
from blip_core.recipes.checkpoint import Checkpoint, Dtype
from blip_core.store.out_folder import check_empty, published_folder

TOLERANCE = 1e-4
"""How far logits may move through merging in float32, as a share of the largest logit."""

_PROBE_SEED = 0
_PROBE_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged checkpoint.

    Attributes:
        folder: where it lies.
        base: the checkpoint that was merged into.
        dtype: type of its weights.
        parameters: weights it has.
        difference: how far a logit moved through merging, as a share of the largest logit.
        rounding: how far one moved through rounding to that type; 0 in float32.
    """

    folder: Path
    base: str
    dtype: str
    parameters: int
    difference: float
    rounding: float


def adapter_base(adapter: Path) -> Checkpoint:
    """The checkpoint that an adapter was tuned on, as the adapter says.

    Raises:
        CheckpointError: The folder holds no adapter, or one that does not say.
    """
    check_adapter_folder(adapter)
    facts = read_facts(adapter)
    if facts is not None:
        return facts.checkpoint
    told = read_json(adapter / CONFIG, "adapter")
    if not told.get("base_model_name_or_path"):
        raise CheckpointError(
            f"{adapter / CONFIG} does not say which base the adapter was tuned on; fill in "
            "base_model_name_or_path"
        )
    named = {"id": told["base_model_name_or_path"], "revision": told.get("revision")}
    try:
        return Checkpoint.model_validate(named)
    except ValidationError as error:
        raise CheckpointError(
            f"{adapter / CONFIG} names the base {named['id']!r}, which is neither a hub id nor a path that "
            "starts with /, ./, ../ or ~; mend base_model_name_or_path"
        ) from error


def merge_adapter(
    adapter: Path, base: Checkpoint, base_folder: Path, out: Path, dtype: Dtype = "float32"
) -> Merged:
    """Merge an adapter into a dense checkpoint with its processor; `out` appears whole or not at all.

    Args:
        adapter: folder of the adapter.
        base: the checkpoint it was tuned on, see `adapter_base`.
        base_folder: where that lies.
        out: folder to make; it must be new or empty.
        dtype: of all weights that come out; the language model is dense whatever it was tuned in.

    Raises:
        CheckpointError: Base or adapter cannot be loaded, do not fit, or give other logits once merged; or
            the type is too small for them.
        PlaceError: `out` is not empty, cannot be written, or its disk is full.
    """
    check_empty(out)
    tuned = load_adapter(load_blip2(base_folder), adapter)
    before = _logits(tuned.blip2)
    blip2 = _merge(tuned)
    whole = _logits(blip2)
    difference = _share(before, whole)
    if not difference <= TOLERANCE:  # also where it is no number
        raise CheckpointError(
            f"merged, logits differ from base and adapter by {difference:.2g} of the largest one, more than "
            f"{TOLERANCE:g}: the adapter's weights are too large or no numbers"
        )
    rounding = _share(whole, _logits(blip2.to(getattr(torch, dtype))))
    if not isfinite(rounding):
        raise CheckpointError(f"in {dtype} the merged model overflows; choose bfloat16 or float32")
    parameters = sum(parameter.numel() for parameter in blip2.parameters())
    merged = Merged(out, base.id, dtype, parameters, difference, rounding)
    with published_folder(out) as folder:
        _save(tuned, blip2, folder)
        (folder / CARD).write_text(_card(merged, tuned.backbone, base, adapter), encoding="utf-8")
        check_checkpoint_folder(folder)
    return merged


def _merge(tuned: Blip2Bundle) -> Any:
    """The BLIP-2 of a PEFT model with the update in its weights."""
    try:
        blip2 = cast(Any, tuned.model).merge_and_unload(safe_merge=True)
    except ValueError as error:  # weights that are no numbers
        raise CheckpointError(f"the adapter cannot be merged: {error}") from error
    part_head(blip2)
    return blip2


@torch.no_grad()
def _logits(blip2: Any) -> Tensor:
    """Logits of a seeded picture of noise and a few seeded tokens behind it."""
    generator = torch.Generator().manual_seed(_PROBE_SEED)
    config = blip2.config
    size = config.vision_config.image_size
    pixels = torch.randn(1, 3, size, size, generator=generator).to(blip2.vision_model.dtype)
    words = torch.randint(3, config.text_config.vocab_size - 1, (1, _PROBE_TOKENS), generator=generator)
    words = words.masked_fill(words == config.image_token_index, 3)
    image = torch.full((1, config.num_query_tokens), config.image_token_index)
    inputs = {"pixel_values": pixels, "input_ids": torch.cat([image, words], dim=1)}
    if backbone_of(config).reads_instruction:
        read = torch.randint(3, config.qformer_config.vocab_size, (1, _PROBE_TOKENS), generator=generator)
        inputs["qformer_input_ids"] = read
    if blip2.language_model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.zeros(1, 1, dtype=torch.long)
    logits: Tensor = blip2.eval()(**inputs).logits
    return logits.float()


def _share(before: Tensor, after: Tensor) -> float:
    return float((after - before).abs().max() / before.abs().max().clamp_min(torch.finfo(torch.float32).tiny))


@without_bars()
def _save(tuned: Blip2Bundle, blip2: Any, folder: Path) -> None:
    try:
        blip2.save_pretrained(folder)
    except SafetensorError as error:  # how safetensors tells of a full disk
        raise OSError(str(error)) from error
    tuned.processor.save_pretrained(folder)
    # Ours is loaded by a subclass, which nobody else has.
    path = folder / "config.json"
    config = read_json(path) | {"architectures": [tuned.backbone.architecture]}
    path.write_text(strict_json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write_for_both(folder)


def _card(merged: Merged, backbone: Backbone, base: Checkpoint, adapter: Path) -> str:
    model, processor = backbone.architecture, backbone.processor.__name__
    facts = read_facts(adapter)
    is_public = not (base.is_pocket or base.is_local)
    name = Path(base.id).name if base.is_local else base.id
    front = f"base_model: {base.id}\n" if is_public else ""
    revision = f" at revision `{base.revision}`" if base.revision else ""
    notes = f"\n{facts.notes}\n" if facts and facts.notes else ""
    return f"""---
library_name: transformers
{front}tags: [{backbone.name}, visual-question-answering]
---

# {name} with an adapter merged in

Base: `{name}`{revision}. Dense, in {merged.dtype}. Merging moved logits by {merged.difference:.1g} of the
largest, rounding by {merged.rounding:.1g}.

```python
from transformers import {model}, {processor}

model = {model}.from_pretrained(".")
processor = {processor}.from_pretrained(".")
```
{notes}"""
