"""How many cores of this machine are ours."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of containers: microseconds of a period, or max, and the period


def usable_cores(quota: Path = _QUOTA) -> int:
    """Cores that this process may run on, no more than its container is granted; one at the least."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        granted, period = quota.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no container, or another kind of group
        return cores
    return cores if granted == "max" else max(1, min(cores, int(granted) // int(period)))
