"""Time, memory and matrix rate of a device; a CPU runs the same code, and reports no memory."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

GIGABYTE = 1e9
_WARM_UPS = 3


@dataclass(slots=True)
class Peak:
    """Most memory that was allocated; None where the device does not tell."""

    gb: float | None = None


@contextmanager
def peak_memory(device: str) -> Iterator[Peak]:
    """Watch what is allocated, that of models already there included."""
    peak = Peak()
    if device != "cuda":
        yield peak
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield peak
    peak.gb = torch.cuda.max_memory_allocated() / GIGABYTE


def seconds_on(device: str, work: Callable[[], object]) -> float:
    """Wall time of some work, with all that it queued."""
    wait_for(device)
    began = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - began


def wait_for(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def matmul_tflops(device: str, side: int, repeats: int) -> float:
    """Rate of products of square bfloat16 matrices of random numbers: the median of some."""
    generator = torch.Generator(device).manual_seed(0)
    one, other = (
        torch.randn(side, side, device=device, generator=generator).to(torch.bfloat16) for _ in range(2)
    )
    times = [seconds_on(device, lambda: one @ other) for _ in range(_WARM_UPS + repeats)]
    return 2 * side**3 / statistics.median(times[_WARM_UPS:]) / 1e12


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device
