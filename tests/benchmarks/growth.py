"""What stages take as rows grow, and their memory against `foundry plan`: `make bench-growth`.

Each stage works some rows, four and sixteen times as many, on the bundled models, in a process of its own on
one thread. Loading and imports are the fixed part; what is left grows as a power of the rows, whose exponent
is fitted. The tuned BLIP-2 in four sizes then works one batch of its longest rows, for its peak of memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from blip_core.planning import make_plan
from blip_core.pocket import models_dir
from tests.benchmarks import growth_figure, growth_page, growth_work, measuring, memory_work
from tests.benchmarks.processors import with_measured
from tests.benchmarks.random_blip2 import save_random_blip2
from tests.benchmarks.shapes import SHAPES

RESULTS = measuring.RESULTS / "growth.json"
TIMES = (1, 4, 16)
BASES: Mapping[str, int] = {
    "scenes": 80,
    "pictures": 16,
    "labels": 32,
    "dataset": 100,
    "finetune": 64,
    "predict": 128,
    "compare": 520,
}
"""Fewest rows by stage: a batch at least, so that the smallest is no dearer a row for being part of one."""
SIZES = ("8M", "55M", "8M-large-tower", "55M-large-tower")
MOST_EXPONENT = 1.05
MOST_APART = 0.1  # of a measured peak


def exponent(points: Sequence[Mapping[str, float]]) -> float:
    """Power of the rows that CPU seconds grow with: the slope of a line through their logarithms."""
    rows, seconds = ([point[name] for point in points] for name in ("rows", "cpu_seconds"))
    return float(np.polyfit(np.log(rows), np.log(seconds), 1)[0])


def measure_growth(bases: Mapping[str, int], times: Sequence[int]) -> dict[str, Any]:
    """CPU seconds by stage and rows, with the exponent of each stage."""
    found: dict[str, Any] = {}
    for stage, base in bases.items():
        points = [_in_a_process(growth_work.__name__, stage, str(base * factor)) for factor in times]
        fixed = [point["fixed_cpu_seconds"] for point in points]
        found[stage] = {
            "exponent": round(exponent(points), 3),
            "fixed_cpu_seconds": fixed[0],
            "points": [{name: one[name] for name in ("rows", "cpu_seconds", "peak_mb")} for one in points],
        }
        measuring.tell(f"{stage}: {found[stage]}")
    return found


def measure_memory(
    sizes: Sequence[str], stages: Sequence[str] = tuple(memory_work.STAGES)
) -> list[dict[str, Any]]:
    """Peaks of the stages that run the tuned BLIP-2, by size, with what a plan says of them."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        models = Path(place)
        for size in sizes:
            save_random_blip2(SHAPES[size], models / memory_work.OWNER / size)
            plan = make_plan(memory_work.recipe_of(size), models, models_dir())
            for stage in stages:
                measured = _in_a_process(memory_work.__name__, stage, size, place)["peak_bytes"]
                found.append(_apart(stage, size, plan.host[stage], measured))
                measuring.tell(f"{found[-1]}")
    return found


def _apart(stage: str, size: str, planned: int, measured: int) -> dict[str, Any]:
    return {
        "stage": stage,
        "size": size,
        "planned_mb": round(planned / 1e6),
        "measured_mb": round(measured / 1e6),
        "apart": round((planned - measured) / measured, 3),
    }


def _in_a_process(module: str, *arguments: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", module, *arguments, place]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def measure(
    bases: Mapping[str, int] = BASES, times: Sequence[int] = TIMES, sizes: Sequence[str] = SIZES
) -> dict[str, Any]:
    """All figures, which hold for this kind of processor."""
    return {
        "machine": measuring.machine(1),
        "versions": measuring.versions(),
        "product_gflops": measuring.product_gflops(),
        "stages": measure_growth(bases, times),
        "memory": measure_memory(sizes),
        "most_exponent": MOST_EXPONENT,
        "most_apart": MOST_APART,
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the results, their page and their figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    results = with_measured({"command": "make bench-growth"} | measuring.read(asked.out), measure())
    page = growth_page.page(results)
    measuring.write(asked.out, results, page)
    growth_figure.draw(asked.out.parent)
    sys.stdout.write(page)


if __name__ == "__main__":
    main(sys.argv[1:])
