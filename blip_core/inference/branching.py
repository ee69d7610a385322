"""Prompts that were read once, gone on from in several ways."""

import copy
from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor


class _Read(Protocol):
    first_logits: Tensor

    def keep(self, rows: Tensor) -> None: ...


Read = TypeVar("Read", bound=_Read)


def branched(reader: Read, times: Sequence[int]) -> Read:
    """See `reading.Reader.branch`: `keep` gives a reader new tensors, so that a shallow copy will do."""
    twin = copy.copy(reader)
    device = reader.first_logits.device
    rows = torch.arange(len(reader.first_logits), device=device)
    twin.keep(rows.repeat_interleave(torch.tensor(times, device=device)))
    return twin
