"""Writers of the store: what a worker of the forge does in the campaign against the store."""

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blip_core.store import Store
from blip_core.store.faults import POINTS, Point
from tests.faults.instants import Instants

WORK = "tests.campaigns.kill.writers:publish"
KIND = "rows"
NOTE = "writers.txt"
FILES = 5


def publish(root: str, key: str, fatal: str = "") -> None:
    """Publish one artefact whose content follows from its key.

    Args:
        root: of the store.
        key: of the artefact.
        fatal: instant to die at.
    """
    instants = Instants(Path(root) / NOTE, fatal)

    def reach(point: Point) -> None:
        instants.pass_by(point)

    def build(folder: Path) -> Mapping[str, Any]:
        return write(folder, key, instants)

    Store(Path(root), reach=reach).publish(key, KIND, build)


def write(folder: Path, key: str, instants: Instants) -> Mapping[str, Any]:
    """Write some files, one after the other, at a pace that leaves time to be killed."""
    draw = random.Random(key)
    for number in range(FILES):
        instants.pass_by("file")
        below = folder / f"part-{number % 2}"
        below.mkdir(exist_ok=True)
        (below / f"{number}.bin").write_bytes(draw.randbytes(draw.randrange(1, 200_000)))
        time.sleep(0.001)
    return {"rows": FILES}


def instants() -> list[str]:
    """Every instant that a writer passes."""
    return [*(f"{point} 1" for point in POINTS), *(f"file {number}" for number in range(1, FILES + 1))]
