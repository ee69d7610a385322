"""Several processes that take each step of a tuning together.

Every process has the whole model and plans the same steps; of a step's rows it takes every n-th. What they
exchange are sums: gradients once a step, row losses, counts. So each comes to the same weights, to the bit.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed
from torch import Tensor, nn

from blip_core.launching.worker import MemberGone

Item = TypeVar("Item")

PATIENCE = timedelta(days=1)
"""How long a process waits for the others: the first may have a whole dataset to encode. Of one that is gone
the others are told at once, or ended by the launcher."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes of a tuning, seen by one of them; what they exchange they all have to ask for.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are; one alone exchanges nothing.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and tells."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This process's part: every n-th, so that rows of like length are dealt out evenly."""
        return list(items[self.rank :: self.size])

    def in_turn(self, own: Tensor, total: int) -> Tensor:
        """Put together what belongs to the items that `share` parted: (N, ...) here -> (total, ...)."""
        if self.size == 1:
            return own
        whole = torch.zeros((total, *own.shape[1:]), dtype=own.dtype, device=own.device)
        whole[self.rank :: self.size] = own
        return self.summed(whole)

    def summed(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place; the same bits in each."""
        if self.size > 1:
            with _heard():
                torch.distributed.all_reduce(values)
        return values

    def least(self, value: int) -> int:
        """The least of all processes' values."""
        if self.size == 1:
            return value
        values = torch.zeros(self.size, dtype=torch.int64)
        values[self.rank] = value
        return int(self.summed(values).min())

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Let each process have the sum of all gradients; a weight that none has a gradient of has none."""
        if self.size == 1 or not parameters:
            return
        sizes = [parameter.numel() for parameter in parameters]
        device = parameters[0].device
        present = torch.tensor([parameter.grad is not None for parameter in parameters], device=device)
        flat = torch.cat([*(_flat_gradient(parameter) for parameter in parameters), present.float()])
        *sums, counts = self.summed(flat).split([*sizes, len(sizes)])
        for parameter, total, count in zip(parameters, sums, counts.tolist(), strict=True):
            if count:
                parameter.grad = total.view_as(parameter).to(parameter.dtype)

    def begin_equal(self, parameters: Sequence[nn.Parameter]) -> None:
        """Take the first process's weights."""
        if self.size == 1:
            return
        with _heard(), torch.no_grad():
            for parameter in parameters:
                torch.distributed.broadcast(parameter.data, 0)

    def told(self, text: str) -> str:
        """What the first process says; the others' own text is not looked at."""
        return self.collect(text.encode() if self.is_first else b"")[0].decode()

    def collect(self, data: bytes) -> list[bytes]:
        """What each process has, by rank."""
        if self.size == 1:
            return [data]
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(data)
        ends = self.summed(lengths).cumsum(0).tolist()
        whole = torch.zeros(ends[-1], dtype=torch.uint8)
        starts = [0, *ends[:-1]]
        own = slice(starts[self.rank], ends[self.rank])
        whole[own] = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else whole[own]
        joined = self.summed(whole).numpy().tobytes()
        return [joined[start:end] for start, end in zip(starts, ends, strict=True)]

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """The first process does what stands inside, then the others, who find done what they share."""
        if not self.is_first:
            self.least(0)
        yield
        if self.is_first:
            self.least(0)


ALONE = ProcessGroup()


def join(folder: Path, rank: int, size: int, device: str) -> ProcessGroup:
    """Become one of the processes of a group, which meet in a file: gloo on the CPU, NCCL on GPUs."""
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
        init_method=f"file://{folder}",
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    return ProcessGroup(rank, size)


def _flat_gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        return torch.zeros(parameter.numel(), device=parameter.device)
    return parameter.grad.float().flatten()


@contextmanager
def _heard() -> Iterator[None]:
    """An exchange fails where another process is gone, or hangs for longer than anybody's patience."""
    try:
        yield
    except RuntimeError as error:  # gloo has no other; NCCL's are derived from it
        raise MemberGone(str(error)) from error
