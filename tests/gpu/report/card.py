"""The card: what it is, and the rates that all other parts are held against."""

import subprocess
from collections.abc import Iterator
from typing import Any

import torch

from tests.benchmarks import device as on
from tests.gpu.report.setting import COPY, MATMUL, PEAKS, Figures, Setting

_REPEATS = 10
_PATIENCE_S = 10
_ASKED = ("driver_version", "clocks.sm", "clocks.mem", "power.limit")


def measure(setting: Setting) -> Iterator[Figures]:
    """Properties, then matrix products, memory, transfers and launches."""
    case, device = setting.sizes.card, setting.device
    yield {"what": "device", **_properties(device)}
    tflops = on.matmul_tflops(device, case.matmul_side, _REPEATS)
    copied = on.copy_gb_per_second(device, case.copied_bytes, _REPEATS)
    yield {
        "what": f"bfloat16 products of {case.matmul_side} x {case.matmul_side}, and copies in its own memory",
        MATMUL: round(tflops, 3),
        COPY: round(copied, 2),
        PEAKS: {MATMUL: tflops, COPY: copied},
    }
    single = on.matmul_tflops(device, case.single_side, _REPEATS, torch.float32)
    yield {"what": f"float32 products of {case.single_side} x {case.single_side}", MATMUL: round(single, 3)}
    for words, pinned in (("pinned", True), ("pageable", False)):
        uploaded = on.upload_gb_per_second(device, case.copied_bytes // 4, _REPEATS, pinned=pinned)
        yield {"what": f"from {words} main memory", "gb_per_second": round(uploaded, 2)}
    launched = on.launch_microseconds(device, case.launches)
    yield {"what": "an operation on one number, from Python", "microseconds": round(launched, 2)}


def _properties(device: str) -> dict[str, Any]:
    if device != "cuda":
        return {"name": device}
    card = torch.cuda.get_device_properties(0)
    return {
        "name": card.name,
        "memory_gb": round(card.total_memory / on.GIGABYTE, 1),
        "multiprocessors": card.multi_processor_count,
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
        **_driver(),
    }


def _driver() -> dict[str, str]:
    """What the driver's own tool says, where it is and answers."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    first = next(iter(said.stdout.splitlines()), "")
    return dict(zip(_ASKED, map(str.strip, first.split(",")), strict=False)) if said.returncode == 0 else {}
