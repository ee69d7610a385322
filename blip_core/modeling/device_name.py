"""What a device is called, so that a rate can say where it was measured."""

import platform
from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")


def device_name(device: torch.device) -> str:
    """A GPU's name, or the CPU's with the threads that torch uses."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{_cpu_name()}, {threads} {'threads' if threads > 1 else 'thread'}"


def _cpu_name() -> str:
    """As Linux tells it; elsewhere the architecture."""
    told = _CPU_INFO.read_text(encoding="utf-8") if _CPU_INFO.exists() else ""
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
