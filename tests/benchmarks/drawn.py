"""Models of transformers whose weights are drawn where they are used: real shapes without a file.

Weights go through `from_pretrained`, as those of a file do. It is given objects that draw a weight when it is
looked at, as it is otherwise given slices of a file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Stands for a weight as a slice of a safetensors file does: `[...]` gives it."""

    draw: Callable[[], Tensor]

    def __getitem__(self, place: object) -> Tensor:
        return self.draw()


def drawn(
    architecture: Any,
    config: Any,
    weights: Mapping[str, Callable[[], Tensor]],
    dtype: torch.dtype,
    device: str,
    **options: Any,
) -> Any:
    """A model of an architecture, each weight drawn when its turn comes.

    Raises:
        AssertionError: A weight was left out, or is not of the model.
    """
    model, told = architecture.from_pretrained(
        None,
        config=config,
        state_dict={name: _Drawn(draw) for name, draw in weights.items()},
        dtype=dtype,
        device_map={"": device},
        output_loading_info=True,
        **options,
    )
    wrong = {name: sorted(told[name]) for name in ("missing_keys", "unexpected_keys") if told[name]}
    if wrong:
        raise AssertionError(f"{architecture.__name__} was not drawn as it is built: {wrong}")
    return model
