"""Parameters of the BLIP-2 that is tuned, by part and precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from blip_core.modeling.accounts import account_parameters
from blip_core.modeling.adapters import attach_adapter
from blip_core.modeling.manifest import ModuleDtype
from blip_core.planning.meta_blip2 import DTYPES, META, load_on_meta, resting
from blip_core.recipes import Finetune


@dataclass(frozen=True)
class Part:
    """One part of a model in one type, before and after quantisation.

    Attributes:
        module: name of the part.
        before_dtype: as it would be loaded whole.
        dtype: as it is loaded.
        parameters: weights, counted before packing.
        before_bytes: whole.
        bytes: as loaded, with the scales that quantisation adds.
        trainable: weights of it, or added to it, that are trained.
    """

    module: str
    before_dtype: str
    dtype: str
    parameters: int
    before_bytes: int
    bytes: int
    trainable: int


@dataclass(frozen=True)
class Parameters:
    """Parameters of a BLIP-2 with its adapter.

    Attributes:
        before: weights with the adapter, nothing packed.
        after: stored elements with the adapter; NF4 keeps two weights in one.
        trainable: of the adapter.
        parts: see `Part`.
    """

    before: int
    after: int
    trainable: int
    parts: tuple[Part, ...]

    @property
    def trainable_share(self) -> float:
        """Share of all weights that is trained, 0 to 1."""
        return self.trainable / self.before


def count_parameters(config: Any, settings: Finetune) -> Parameters:
    """Count the weights of a BLIP-2 and of the adapter that is tuned on it.

    Raises:
        RecipeError: The adapter names modules that it cannot sit on.
    """
    account = account_parameters(config, settings.adapter, settings.quantisation, settings.features)
    bundle = load_on_meta(config, settings.quantisation, settings.base.dtype)
    rows = resting(bundle.model)
    with META:
        trained = _trained(attach_adapter(bundle, settings.adapter, seed=0).model)
    parts = tuple(_parts(rows, settings.base.dtype, trained))
    return Parameters(account.total, account.total_packed, account.adapter, parts)


def _parts(rows: Sequence[ModuleDtype], dtype: str, trained: Mapping[str, int]) -> list[Part]:
    """What is trained stands in the last row of its part: that of quantised weights, where there are any."""
    last = {row.module: row.dtype for row in rows}
    parts = []
    for row in rows:
        before = dtype if row.dtype in ("int8", "nf4") else row.dtype
        whole = row.parameters * DTYPES[before].itemsize
        trainable = trained.get(row.module, 0) if row.dtype == last[row.module] else 0
        parts.append(Part(row.module, before, row.dtype, row.parameters, whole, row.bytes, trainable))
    return parts


def _trained(model: nn.Module) -> dict[str, int]:
    """Trained weights by the part of the BLIP-2 that they belong to; PEFT's own names are in front."""
    found: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = name.removeprefix("base_model.model.").split(".", 1)[0]
            found[part] = found.get(part, 0) + parameter.numel()
    return found
