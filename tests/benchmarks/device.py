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


def matmul_tflops(device: str, side: int, repeats: int, dtype: torch.dtype = torch.bfloat16) -> float:
    """Rate of products of square matrices of random numbers: the median of some."""
    generator = torch.Generator(device).manual_seed(0)
    one, other = (torch.randn(side, side, device=device, generator=generator).to(dtype) for _ in range(2))
    return 2 * side**3 / _median_seconds(device, lambda: one @ other, repeats) / 1e12


def copy_gb_per_second(device: str, size: int, repeats: int) -> float:
    """Bytes read and written a second while a device copies its own memory."""
    kept = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(kept)
    return 2 * size / _median_seconds(device, lambda: target.copy_(kept), repeats) / GIGABYTE


def upload_gb_per_second(device: str, size: int, repeats: int, *, pinned: bool) -> float:
    """Bytes a second from main memory to a device."""
    kept = torch.zeros(size, dtype=torch.uint8, pin_memory=pinned and device == "cuda")
    target = torch.empty(size, dtype=torch.uint8, device=device)
    return size / _median_seconds(device, lambda: target.copy_(kept), repeats) / GIGABYTE


def launch_microseconds(device: str, launches: int) -> float:
    """Time of an operation on one number: what Python and a launch cost."""
    number = torch.zeros(1, device=device)

    def launch() -> None:
        for _ in range(launches):
            number.add_(1)

    return _median_seconds(device, launch, 3) / launches * 1e6


def _median_seconds(device: str, work: Callable[[], object], repeats: int) -> float:
    times = [seconds_on(device, work) for _ in range(_WARM_UPS + repeats)]
    return statistics.median(times[_WARM_UPS:])


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device
