"""NF4 against its dequantised twin, on any device."""

from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch import Tensor, nn

from blip_core.modeling import Blip2Bundle
from blip_core.modeling.features import decode_picture, image_features, prompt_embeddings, vision_states
from blip_core.modeling.text import pad_prompts, prompt_ids
from tests.benchmarks.questions import random_examples


@torch.no_grad()
def nf4_distance(bundle: Blip2Bundle) -> float:
    """How far the logits of the two lie apart, relative to their size; both multiply in bfloat16.

    The model is its twin afterwards.
    """
    packed = _logits(bundle)
    if not _dequantise(bundle.blip2):
        raise AssertionError("nothing was quantised")
    return float((packed - _logits(bundle)).norm() / packed.norm())


def _logits(bundle: Blip2Bundle) -> Tensor:
    """(V,) after one prompt about one picture, float32."""
    example = random_examples(1, 1, 64)[0]
    features = image_features(bundle, vision_states(bundle, [decode_picture(example)]))
    rows = pad_prompts(bundle, [prompt_ids(bundle, example.question)]).to(bundle.device)
    inputs: dict[str, Any] = {
        "inputs_embeds": prompt_embeddings(bundle, rows, features),
        "attention_mask": rows.attention_mask,
    }
    if bundle.family == "t5":
        inputs["decoder_input_ids"] = torch.zeros(1, 1, dtype=torch.long, device=bundle.device)
    logits: Tensor = bundle.blip2.language_model(**inputs).logits[0, -1]
    return logits.float()


def _dequantise(model: nn.Module) -> int:
    """Put a plain linear of the same weights in the place of each quantised one; how many there were."""
    quantised = [(name, module) for name, module in model.named_modules() if isinstance(module, Linear4bit)]
    for name, module in quantised:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, _Twin(module))
    return len(quantised)


class _Twin(nn.Module):
    """A linear of dequantised weights that multiplies in bfloat16, as its quantised twin does."""

    def __init__(self, quantised: Linear4bit) -> None:
        super().__init__()
        weight = quantised.weight
        self.weight = nn.Parameter(dequantize_4bit(weight.data, weight.quant_state).to(torch.bfloat16), False)
        self.bias = quantised.bias

    def forward(self, inputs: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(torch.bfloat16)
        return nn.functional.linear(inputs.to(torch.bfloat16), self.weight, bias).to(inputs.dtype)
