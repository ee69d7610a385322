"""Rows through every gate that asks no model, and into a dataset: time a row, memory, time to read a row.

Pictures and labels are written as the stages leave them. A process of its own then does what the stage
`dataset` does with them, so that its peak of memory is the stage's alone.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from blip_core.records import Example
from tests.benchmarks import gates_work, measuring

SIZES = (10_000, 100_000)
READS = 200  # rows that are read one by one, each at a random place


def read_one_by_one(dataset: Path, reads: int) -> float:
    """CPU milliseconds to read a row of an open dataset with its picture: median over random places."""
    files = [pq.ParquetFile(path) for path in sorted((dataset / "data").glob("train-*.parquet"))]
    groups = [(file, group) for file in files for group in range(file.num_row_groups)]
    drawn = random.Random(0)
    spent = []
    for _ in range(reads):
        file, group = drawn.choice(groups)
        began = time.process_time()
        rows = file.read_row_group(group, use_threads=False)
        row = Example.from_row(rows.slice(drawn.randrange(len(rows)), 1).to_pylist()[0])
        spent.append(time.process_time() - began)
        assert row.image
    return round(1_000 * sorted(spent)[reads // 2], 2)


def measure(place: Path, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Figures of each size, and how much more a row takes among most rows than among fewest."""
    found = []
    for size in sizes:
        folder = place / str(size)
        measuring.tell(f"gates: writing {size:,} rows")
        gates_work.write_rows_of(folder, size)
        measuring.tell(f"gates: {size:,} rows through the gates")
        told = json.loads(_in_a_process(folder))
        told["read_ms"] = read_one_by_one(folder / "dataset", READS)
        measuring.tell(f"gates: {told}")
        found.append(told)
    ratio = found[-1]["cpu_ms_a_row"] / found[0]["cpu_ms_a_row"]
    return {"sizes": found, "ratio_of_time_a_row": round(ratio, 2)}


def _in_a_process(folder: Path) -> str:
    command = [sys.executable, "-m", gates_work.__name__, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]
