"""A BLIP-2 or InstructBLIP as it is loaded, adapted and run, on the `meta` device.

B: rows, L: tokens of the prompt with image tokens, T: tokens of the target, P: patches + 1, V: vision width,
I: tokens of an instruction.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from blip_core.modeling.backbones import backbone_of, family_of
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.manifest import ModuleDtype
from blip_core.modeling.quantisation import Quantisation
from blip_core.modeling.text import TokenBatch
from blip_core.planning.packing import PackedLinear, pack

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
META = torch.device("meta")


def load_on_meta(config: Any, quantisation: Quantisation, dtype: str) -> Blip2Bundle:
    """What `load_blip2` gives, without weights and without a processor."""
    with META:
        model = backbone_of(config).model(config)
    model.config.image_token_index = model.config.image_token_index or 0  # any will do: no id has a value
    _untie_head(model)
    model.to(DTYPES[dtype])
    model.qformer.to(torch.float32)
    model.query_tokens.data = model.query_tokens.data.to(torch.float32)
    pack(model, quantisation)
    return Blip2Bundle(model.eval().requires_grad_(False), None, family_of(config), [], quantisation)


def _untie_head(model: Any) -> None:
    """Give a T5 the head of its own that its checkpoint brings; see `accounts`."""
    text = model.config.text_config
    if text.model_type != "t5" or text.scale_decoder_outputs:
        return
    model.language_model.lm_head.weight = nn.Parameter(
        torch.empty(text.vocab_size, text.d_model, device=META)
    )


def resting(model: nn.Module) -> list[ModuleDtype]:
    """Every part of a model on `meta` with the types it rests in and the bytes that it takes."""
    totals: dict[tuple[str, str], list[int]] = {}
    packed = {id(module.weight): module for module in model.modules() if isinstance(module, PackedLinear)}
    for name, parameter in model.named_parameters():
        linear = packed.get(id(parameter))
        kind = linear.quantisation if linear else str(parameter.dtype).removeprefix("torch.")
        total = totals.setdefault((name.split(".", 1)[0], kind), [0, 0])
        total[0] += linear.unpacked if linear else parameter.numel()
        total[1] += parameter.numel() * parameter.element_size() + (linear.scales_bytes if linear else 0)
    return [ModuleDtype(module, kind, *total) for (module, kind), total in totals.items()]


def weights_bytes(model: nn.Module, without: Sequence[str] = ()) -> int:
    """Bytes of a model's weights and buffers, some parts left out."""
    rows = [row.bytes for row in resting(model) if row.module not in without]
    buffers = [buffer for name, buffer in model.named_buffers() if name.split(".", 1)[0] not in without]
    return sum(rows) + sum(buffer.numel() * buffer.element_size() for buffer in buffers)


def patches(config: Any) -> int:
    """Vectors that the vision tower gives for a picture: P."""
    vision = config.vision_config
    return int((vision.image_size // vision.patch_size) ** 2 + 1)


def states_of(bundle: Blip2Bundle, rows: int) -> Tensor:
    """Vision states (B, P, V) as they are kept."""
    config = bundle.blip2.config
    dtype = bundle.blip2.language_projection.weight.dtype
    return torch.empty(rows, patches(config), config.vision_config.hidden_size, dtype=dtype, device=META)


def instructions_of(bundle: Blip2Bundle, rows: int, text_tokens: int) -> TokenBatch | None:
    """Instructions (B, I) as a Q-Former reads them beside a prompt of so many tokens, if it reads any.

    Its tokenizer is another one than the language model's: of English words either makes about as many.
    """
    if not bundle.backbone.reads_instruction:
        return None
    read = min(text_tokens, bundle.blip2.config.qformer_config.max_position_embeddings)
    return TokenBatch(token_ids(rows, read), token_ids(rows, read))


def token_ids(rows: int, tokens: int) -> Tensor:
    """Ids or masks (rows, tokens), int64."""
    return torch.ones(rows, tokens, dtype=torch.int64, device=META)
