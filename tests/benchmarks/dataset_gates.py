"""Rows through every gate that asks no model, and into a dataset: time a row, memory, time to read a row.

Pictures and labels are written as the stages leave them. A process of its own then does what the stage
`dataset` does with them, so that its peak of memory is the stage's alone.
"""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from blip_core import curation
from blip_core.pocket.world import OBJECT_NAMES
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import LABEL_SCHEMA, PICTURE_SCHEMA, Example, Label, Picture
from blip_core.store import read_rows, write_rows
from blip_core.wiring import gate_models
from tasks.build_dataset import to_examples
from tasks.curated import write_curated
from tests.benchmarks import measuring
from tests.pocket_rows import pocket_row

SIZES = (10_000, 100_000)
READS = 200  # rows that are read one by one, each at a random place
_PICTURES, _LABELS = "pictures.parquet", "labels.parquet"
# Judges attributes and free answers, which grown four-option rows have not.
_OF_OTHER_ROWS = ("attribute_coverage", "single_answers")
_KIB = 1024


def recipe() -> Recipe:
    """The shipped recipe with every gate on that asks no model; the bundled evaluation rows are kept out."""
    asked_nothing = (gate.name for gate in curation.shipped_gates() if gate.port in (None, "held-out rows"))
    names = [name for name in asked_nothing if name not in _OF_OTHER_ROWS]
    return load_recipe("gallery-vqa", "pocket", [f"curation.{name}.enabled=true" for name in names])


def write_rows_of(folder: Path, count: int) -> None:
    """So many pictures of 64 x 64 pixels, none like another, with a label each, as the stages leave them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / _PICTURES, (_picture(row) for row in _rows(count)), PICTURE_SCHEMA)
    write_rows(folder / _LABELS, (_label(row) for row in _rows(count)), LABEL_SCHEMA)


def _rows(count: int) -> Iterator[Example]:
    signs = product(OBJECT_NAMES, repeat=4)  # a million scenes that differ by what a sign says
    for number, words in zip(range(count), signs, strict=False):
        row = pocket_row(number)
        yield replace(row, scene=f"{row.scene} A sign says {' '.join(reversed(words))}.")


def _picture(row: Example) -> Picture:
    return Picture(row.picture_id, row.group, row.category, row.scene, 0, row.image, "", 64, 64)


def _label(row: Example) -> Label:
    texts = row.description, row.question, row.a, row.b, row.c, row.d, row.answer
    return Label(row.id, row.picture_id, *texts, attempt=0)


def curate_and_write(rows: Path, out: Path) -> dict[str, Any]:
    """What the stage does with pictures and labels: examples, gates, splits, Parquet; and what it took."""
    settings = recipe()
    began, cpu_began = time.monotonic(), time.process_time()
    examples = to_examples("mcq", read_rows(rows / _PICTURES, Picture), read_rows(rows / _LABELS, Label))
    curated = curation.curate(examples, settings.curation, gate_models(settings))
    written = write_curated(out, settings, curated, [], {})
    wall, cpu = time.monotonic() - began, time.process_time() - cpu_began
    return {
        "rows": len(examples),
        "kept": written["rows"],
        "wall_seconds": round(wall, 1),
        "cpu_ms_a_row": round(1_000 * cpu / len(examples), 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB / 1e6),
        "gates": {one.gate: one.refused for one in curated.gates},
    }


def read_one_by_one(dataset: Path, reads: int) -> float:
    """Milliseconds to read one row of an open dataset, its picture among it: median over random places."""
    files = [pq.ParquetFile(path) for path in sorted((dataset / "data").glob("train-*.parquet"))]
    groups = [(file, group) for file in files for group in range(file.num_row_groups)]
    drawn = random.Random(0)
    spent = []
    for _ in range(reads):
        file, group = drawn.choice(groups)
        began = time.perf_counter()
        rows = file.read_row_group(group)
        row = Example.from_row(rows.slice(drawn.randrange(len(rows)), 1).to_pylist()[0])
        spent.append(time.perf_counter() - began)
        assert row.image
    return round(1_000 * sorted(spent)[reads // 2], 2)


def measure(place: Path, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Figures of each size, and how much more a row takes among most rows than among fewest."""
    found = []
    for size in sizes:
        folder = place / str(size)
        measuring.tell(f"gates: writing {size:,} rows")
        write_rows_of(folder, size)
        measuring.tell(f"gates: {size:,} rows through the gates")
        told = json.loads(_in_a_process(folder))
        told["read_ms"] = read_one_by_one(folder / "dataset", READS)
        measuring.tell(f"gates: {told}")
        found.append(told)
    ratio = found[-1]["cpu_ms_a_row"] / found[0]["cpu_ms_a_row"]
    return {"sizes": found, "ratio_of_time_a_row": round(ratio, 2)}


def _in_a_process(folder: Path) -> str:
    command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    given = Path(sys.argv[1])
    (given / "dataset").mkdir(exist_ok=True)
    sys.stdout.write(json.dumps(curate_and_write(given, given / "dataset")) + "\n")
