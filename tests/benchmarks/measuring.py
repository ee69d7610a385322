"""How benchmarks measure: CPU time of this process, pairs in ABBA order, medians with their spread."""

import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from blip_core.modeling import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from tests.benchmarks.processors import plain_name

RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks"
_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")
_PRODUCT_ROWS, _PRODUCT_WIDTH, _PRODUCTS = 2_048, 1_024, 40  # enough of them for a second


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads inside torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of all threads of this process while some work is done."""
    began = time.process_time()
    work()
    return time.process_time() - began


def abba_pairs(
    name: str, first: Callable[[], float], second: Callable[[], float], count: int
) -> list[tuple[float, float]]:
    """Measure two sides in turn, so that a drift of the machine falls on both: AB, BA, AB, ..."""
    pairs: list[tuple[float, float]] = []
    for number in range(count):
        if number % 2 == 0:
            one = first()
            pairs.append((one, second()))
        else:
            other = second()
            pairs.append((first(), other))
        mine, theirs = pairs[-1]
        tell(
            f"{name}: pair {number + 1} of {count}, {mine:.1f} s against {theirs:.1f} s, {mine / theirs:.2f}"
        )
    return pairs


def tell(line: str) -> None:
    """Show that something goes on, beside the results."""
    sys.stderr.write(f"{line}\n")


def spread(values: list[float]) -> dict[str, float | int]:
    """Median, lowest and highest, rounded to what is known of them."""
    return {
        "median": round(statistics.median(values), 2),
        "low": round(min(values), 2),
        "high": round(max(values), 2),
        "pairs": len(values),
    }


def machine(threads_used: int) -> dict[str, Any]:
    """What the CPU figures were measured on, without names of machine or places."""
    return {
        "cpu": plain_name(_cpu_field("model name")),
        "family": "/".join(filter(None, map(_cpu_field, ("cpu family", "model")))),
        "cores": os.cpu_count(),
        "threads": threads_used,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
    }


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def product_gflops() -> dict[str, float]:
    """GFLOP/s of large float32 products: by torch's own library, and by oneDNN as our side takes it.

    Processors of one name differ in it by more than twice, and ratios with it.
    """
    linear = nn.Linear(_PRODUCT_WIDTH, _PRODUCT_WIDTH, bias=False)
    states = torch.ones(_PRODUCT_ROWS, _PRODUCT_WIDTH)
    work = 2 * _PRODUCTS * _PRODUCT_ROWS * _PRODUCT_WIDTH**2

    def multiply() -> None:
        for _ in range(_PRODUCTS):
            linear(states)

    with threads(1), torch.inference_mode():
        own = cpu_seconds(multiply)
        with quick_linears(linear):
            quick = cpu_seconds(multiply)
    return {"own": round(work / own / 1e9), "onednn": round(work / quick / 1e9)}


def product_flops(work: Callable[[], object]) -> int:
    """Multiplications and additions of all products, convolutions and attention of some work."""
    named = {
        torch.ops.mkldnn._linear_pointwise: _linear_flops,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
    }
    with FlopCounterMode(display=False, custom_mapping=named) as counted:
        work()
    return int(counted.get_total_flops())


def _linear_flops(states: Sequence[int], *shapes: Any, **_: Any) -> int:
    """Of (..., width) by a weight (out, width), which a factor of the result's shape may stand before."""
    weights = [one for one in shapes if isinstance(one, torch.Size) and len(one) == 2]
    weight = next(one for one in weights if one[-1] == states[-1])
    return 2 * math.prod(states) * weight[0]


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _cpu_field(name: str) -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            known, _, value = line.partition(":")
            if known.strip() == name:
                return value.strip()
    return platform.machine() if name == "model name" else ""


def read(file: Path) -> dict[str, Any]:
    """A benchmark's results; empty where there are none yet."""
    if not file.exists():
        return {}
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def write(file: Path, results: Mapping[str, Any], page: str) -> None:
    """Leave results and, beside them, their page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(page, encoding="utf-8")


@dataclass
class VisionCount:
    """Pictures that went through a vision tower."""

    forwards: int = 0


@contextmanager
def counted_vision(bundle: Blip2Bundle) -> Iterator[VisionCount]:
    """Count at the tower itself, whatever its callers say."""
    count = VisionCount()

    def add(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        count.forwards += len(output.last_hidden_state)

    hook = bundle.blip2.vision_model.register_forward_hook(add, with_kwargs=True)
    try:
        yield count
    finally:
        hook.remove()
