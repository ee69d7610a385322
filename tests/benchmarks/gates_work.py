"""What the benchmark of gates does in a process of its own, without the libraries that measuring brings."""

import io
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blip_core import curation
from blip_core.painting import encode_png
from blip_core.pocket.world import OBJECT_NAMES
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import LABEL_SCHEMA, PICTURE_SCHEMA, Example, Label, Picture
from blip_core.store import read_rows, write_rows
from blip_core.wiring import gate_models
from tasks.build_dataset import to_examples
from tasks.curated import write_curated
from tests.benchmarks.peak import peak_bytes
from tests.pocket_rows import pocket_row

_PICTURES, _LABELS = "pictures.parquet", "labels.parquet"
# They judge attributes, free answers and a labeller's confidence, which these four-option rows have not.
_OF_OTHER_ROWS = ("attribute_coverage", "single_answers", "confidence")
_VIEWS = tuple(
    product((0, 13, 26, 38, 51), range(4), (False, True))
)  # shift in pixels, quarter turns, mirrored
_FEWEST_PICTURES = 40  # of fewer, one answer would be right in most rows
_SIGN_WORDS = 6


def recipe() -> Recipe:
    """The shipped recipe with every gate on that asks no model; the bundled evaluation rows are kept out."""
    asked_nothing = (gate.name for gate in curation.shipped_gates() if gate.port in (None, "held-out rows"))
    names = [name for name in asked_nothing if name not in _OF_OTHER_ROWS]
    return load_recipe("gallery-vqa", "pocket", [f"curation.{name}.enabled=true" for name in names])


def write_rows_of(folder: Path, count: int) -> None:
    """So many pictures of 64 x 64 pixels, none like another, with a label each, as the stages leave them."""
    folder.mkdir(parents=True, exist_ok=True)
    labels: list[Label] = []

    def pictures() -> Iterator[Picture]:
        for row in _rows(count):
            labels.append(_label(row))
            yield _picture(row)

    write_rows(folder / _PICTURES, pictures(), PICTURE_SCHEMA)
    write_rows(folder / _LABELS, labels, LABEL_SCHEMA)


def _rows(count: int) -> Iterator[Example]:
    """Composed pictures, each turned, mirrored and shifted in many ways, under texts of their own."""
    pictures = max(ceil(count / len(_VIEWS)), min(count, _FEWEST_PICTURES))
    composed = [pocket_row(number) for number in range(pictures)]
    for number in range(count):
        row = composed[number % pictures]
        pixels = _seen(row.image, *_VIEWS[number // pictures])
        drawn = np.random.default_rng(number).choice(OBJECT_NAMES, _SIGN_WORDS)
        sign = f"A sign says {' '.join(drawn)}."
        name = f"{row.category}-{number:06d}"
        yield replace(
            row,
            id=f"{name}-p0-q0",
            picture_id=f"{name}-p0",
            group=name,
            image=encode_png(Image.fromarray(pixels)),
            scene=f"{row.scene} {sign}",
            description=f"{row.description} {sign}",
        )


def _seen(image: bytes, shift_px: int, turns: int, is_mirrored: bool) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(image)))
    turned = np.rot90(np.roll(pixels, shift_px, axis=1), turns)
    return np.fliplr(turned) if is_mirrored else turned


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
        "peak_mb": round(peak_bytes() / 1e6),
        "gates": {one.gate: one.refused for one in curated.gates},
    }


if __name__ == "__main__":
    given = Path(sys.argv[1])
    (given / "dataset").mkdir(exist_ok=True)
    sys.stdout.write(json.dumps(curate_and_write(given, given / "dataset")) + "\n")
