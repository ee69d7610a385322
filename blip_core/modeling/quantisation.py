"""Partial quantisation: the language model alone, proved module by module.

`llm_int8_skip_modules` replaces the defaults of transformers, so the list below names all that stays
whole. `wo` is T5's second feed-forward linear: quantised, it ruins the model.
"""

import logging
from collections.abc import Iterator
from typing import Literal

import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from torch import nn
from transformers import BitsAndBytesConfig

from blip_core.errors import CheckpointError

Quantisation = Literal["none", "int8", "nf4"]

LANGUAGE_MODEL = "language_model"
WHOLE_MODULES = ("vision_model", "qformer", "language_projection", "lm_head", "wo")
INT8_THRESHOLD = (
    6.0  # inputs larger than that are multiplied in half precision (arXiv 2208.07339, section 3.2)
)
_LAYER_TYPES: dict[str, type[nn.Module]] = {"int8": Linear8bitLt, "nf4": Linear4bit}


def quantisation_config(quantisation: Quantisation) -> BitsAndBytesConfig | None:
    """What `from_pretrained` needs to quantise the language model alone; None where nothing is quantised."""
    if quantisation == "none":
        return None
    if quantisation == "int8":
        return BitsAndBytesConfig(
            load_in_8bit=True,
            llm_int8_threshold=INT8_THRESHOLD,
            llm_int8_skip_modules=list(WHOLE_MODULES),
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,  # the T5 overflows in float16
        llm_int8_skip_modules=list(WHOLE_MODULES),
    )


def quieten_int8() -> None:
    """Silence what bitsandbytes logs at every call: that int8 computes in float16, which is how it works."""
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)


def keep_weights_unpacked(model: nn.Module) -> None:
    """Stop bitsandbytes from repacking NF4 weights in place.

    On CPUs with AVX512-BF16 a forward without gradients repacks them, and from then on no gradient flows.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def is_quantisable(name: str) -> bool:
    """Whether a linear of this full name is quantised when the language model is."""
    return name.startswith(f"{LANGUAGE_MODEL}.") and name.rsplit(".", 1)[-1] not in WHOLE_MODULES


def assert_partly_quantised(model: nn.Module, quantisation: Quantisation) -> None:
    """Prove that exactly the linears that should be quantised are.

    Raises:
        CheckpointError: A linear is quantised and should not be, or the other way round.
    """
    expected = _LAYER_TYPES.get(quantisation)
    for name, module in _linears(model):
        wanted = expected if is_quantisable(name) else None
        actual = next((kind for kind in _LAYER_TYPES.values() if isinstance(module, kind)), None)
        if actual is wanted:
            continue
        raise CheckpointError(
            f"{name} is {_name(actual)} and should be {_name(wanted)} with quantisation {quantisation!r}; "
            f"only the {LANGUAGE_MODEL} is quantised, without {', '.join(WHOLE_MODULES[-2:])}"
        )


def _linears(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear))


def _name(kind: type[nn.Module] | None) -> str:
    return kind.__name__ if kind else "a plain Linear"
