"""How many parameters a BLIP-2 has, trains and stores: from its config, without weights."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from blip_core.adapter_card import SIDECARS
from blip_core.modeling.adapter_targets import Features, full_sizes, targeted_linears
from blip_core.modeling.architecture import meta_blip2
from blip_core.modeling.quantisation import Quantisation, is_quantisable
from blip_core.recipes.finetune import Adapter

_WEIGHTS_PER_ELEMENT: dict[Quantisation, int] = {"none": 1, "int8": 1, "nf4": 2}


@dataclass(frozen=True, slots=True)
class ParameterAccount:
    """Parameters of a BLIP-2 with an adapter.

    Attributes:
        base: of the model itself.
        adapter: of the adapter: what is trained.
        packed: stored elements of the base once its language model is quantised; NF4 keeps two weights
            in one byte.
        in_place: of what is trained, the weights that stand in the base already. LoRA adds weights, and so
            does a module in full, of which PEFT trains a copy; query tokens and language model have no copy.
    """

    base: int
    adapter: int
    packed: int
    in_place: int = 0

    @property
    def total(self) -> int:
        return self.base + self.adapter - self.in_place

    @property
    def total_packed(self) -> int:
        return self.packed + self.adapter - self.in_place

    @property
    def trainable_share(self) -> float:
        """Share of all parameters that is trained, 0 to 1."""
        return self.adapter / self.total


def account_parameters(
    config: Any, adapter: Adapter | None, quantisation: Quantisation, features: Features = "fresh"
) -> ParameterAccount:
    """Count from a `Blip2Config` alone.

    Raises:
        RecipeError: The adapter names modules that it cannot sit on.
    """
    model = meta_blip2(config)
    base = sum(parameter.numel() for parameter in model.parameters()) + _hidden_head(config)
    saved = sum(_saved_elements(linear, quantisation) for linear in _quantised_linears(model))
    if adapter is None:
        return ParameterAccount(base, 0, base - saved)
    full = full_sizes(model, adapter, quantisation)
    if "language_model" in full:
        full["language_model"] += _hidden_head(config)
    trained = lora_parameters(model, adapter, features) + sum(full.values())
    return ParameterAccount(base, trained, base - saved, sum(full[part] for part in full if part in SIDECARS))


def trained_parameters(model: nn.Module, adapter: Adapter, features: Features = "fresh") -> int:
    """Weights that an adapter trains on a model without one: LoRA and parts in full."""
    return lora_parameters(model, adapter, features) + sum(full_sizes(model, adapter).values())


def lora_parameters(model: nn.Module, adapter: Adapter, features: Features = "fresh") -> int:
    """Weights of the two factors, r x in and out x r, over all linears that LoRA sits on."""
    linears = targeted_linears(model, adapter, features).values()
    return sum(adapter.r * (linear.in_features + linear.out_features) for linear in linears)


def _hidden_head(config: Any) -> int:
    """Weights of an untied T5 head.

    transformers 5 ties the head of every T5 until a checkpoint brings one of its own; that the config
    asked for an untied one survives only as `scale_decoder_outputs`.
    """
    text = config.text_config
    if text.model_type != "t5" or text.scale_decoder_outputs:
        return 0
    return int(text.vocab_size * text.d_model)


def _quantised_linears(model: nn.Module) -> list[nn.Linear]:
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and is_quantisable(name)
    ]


def _saved_elements(linear: nn.Linear, quantisation: Quantisation) -> int:
    elements = linear.weight.numel()
    return elements - elements // _WEIGHTS_PER_ELEMENT[quantisation]
