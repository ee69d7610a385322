"""The states of all random generators that a tuning may draw from, as tensors."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_OTHERS = "rank{}/"  # of the first process the names stand alone


def random_states() -> dict[str, Tensor]:
    """States of Python's, NumPy's and torch's generators, every CUDA device included."""
    version, numbers, gauss = random.getstate()
    numpy: Any = np.random.get_state(legacy=True)
    states = {
        "python": torch.tensor([version, *numbers], dtype=torch.int64),
        "python_gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
        "numpy": torch.tensor([*numpy[1].tolist(), numpy[2], numpy[3]], dtype=torch.int64),
        "numpy_gauss": torch.tensor([numpy[4]], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states |= {f"cuda_{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Put the states of `random_states` back; those of devices that this machine lacks are left out."""
    version, *numbers = states["python"].tolist()
    gauss = states["python_gauss"].tolist()
    random.setstate((version, tuple(numbers), gauss[0] if gauss else None))
    *keys, place, has_gauss = states["numpy"].tolist()
    cached = float(states["numpy_gauss"])
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), place, has_gauss, cached))
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            if f"cuda_{number}" in states:
                torch.cuda.set_rng_state(states[f"cuda_{number}"], number)


def joined_states(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The states of several processes, by rank, in one."""
    others = {
        f"{_OTHERS.format(rank)}{name}": state
        for rank, own in enumerate(states[1:], 1)
        for name, state in own.items()
    }
    return {**states[0], **others}


def states_of(states: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The states of one process out of `joined_states`; empty where it had no part in it."""
    prefix = _OTHERS.format(rank) if rank else ""
    return {
        name.removeprefix(prefix): state
        for name, state in states.items()
        if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
    }
