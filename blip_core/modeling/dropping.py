"""Dropout on a CPU by 16 random bits a number, from a generator that writes quickly.

Measured on one core over a million numbers: 6.4 ns each by torch's dropout, under 1 ns so. torch's generator
gives the seed alone: it takes 3.2 ns for 64 bits, SFC64 1.7 (Doty-Humphrey, PractRand, as NumPy has it). What
is dropped differs, how much does not.
Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
"""

from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from blip_core.modeling.replacing import replaced_forwards

_LEVELS = 2**16  # a chance of 0.1 becomes 0.10001
_LOWEST = -(2**15)
_DRAWS_A_NUMBER = 4  # of 16 bits
_SEEDS = 2**63 - 1


def quick_dropout(model: nn.Module) -> AbstractContextManager[None]:
    """Let the dropouts of a model draw 16 random bits a number on a CPU, for a while."""
    return replaced_forwards((module, _drop) for module in model.modules() if type(module) is nn.Dropout)


def _drop(dropout: nn.Dropout, states: Tensor) -> Tensor:
    if not dropout.training or dropout.p == 0 or states.device.type != "cpu":
        return functional.dropout(states, dropout.p, dropout.training, dropout.inplace)
    return states * kept(states, dropout.p)


def kept(states: Tensor, chance: float) -> Tensor:
    """Factors for numbers, of their shape and type: 0 with a chance, else what keeps their mean."""
    dropped_levels = round(chance * _LEVELS)
    draws = _draws(states.numel()).view(states.shape)
    if dropped_levels == 0:
        return torch.ones_like(states).div_(1 - chance)
    # Whole numbers all the way: a comparison gives truth values, which take several times as long.
    last_dropped = _LOWEST + dropped_levels - 1
    is_kept = draws.clamp_(last_dropped, last_dropped + 1).sub_(last_dropped)
    return is_kept.to(states.dtype).div_(1 - chance)


def _draws(count: int) -> Tensor:
    """(count,) int16, all levels alike; they depend on the state of torch's generator alone."""
    generator = np.random.SFC64(int(torch.randint(_SEEDS, ())))
    numbers = generator.random_raw(-(-count // _DRAWS_A_NUMBER))
    return torch.from_numpy(numbers.view(np.int16))[:count]
