"""Shards that are no work at all: what is left is what sharing them out takes."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from blip_core.ports import Progress
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import Rejection
from tasks.crews import crew_for, employing
from tasks.shards import ShardWork, by_place, in_runs, publish_shards
from tests.benchmarks.peak import peak_bytes

MIB = 2**20


@contextmanager
def trivial_shards(recipe: Recipe) -> Iterator[ShardWork[Rejection]]:
    """Shards of one row that leave a file of one line."""

    def build(folder: Path, shard: Sequence[Rejection], report: Progress) -> Mapping[str, Any]:
        (folder / "row.txt").write_text(shard[0].id, encoding="utf-8")
        report(1, 1)
        return {"rows": 1}

    yield ShardWork("trivial", Rejection, by_place("whole"), build)


def main() -> None:
    """Share out so many shards, and print seconds and how much memory this process grew by."""
    from tests.benchmarks.executor_work import trivial_shards  # by the name that workers find it under

    executor, count = sys.argv[1], int(sys.argv[2])
    recipe = load_recipe("gallery-vqa", "pocket", [f"device.executor={executor}", "device.threads=1"])
    with employing(), trivial_shards(recipe) as work, crew_for(recipe, trivial_shards) as crew:
        publish_shards(work, in_runs(rows("warm", 4), 1), 4, crew)  # workers are there
        before, began = psutil.Process().memory_info().rss, time.monotonic()
        made = publish_shards(work, in_runs(rows("row", count), 1), count, crew)
        seconds = time.monotonic() - began
    if len(made) != count:
        sys.exit(f"{len(made)} of {count} shards were made")
    told = {"shards": count, "seconds": round(seconds, 1), "grown_mib": round((peak_bytes() - before) / MIB)}
    sys.stdout.write(json.dumps(told) + "\n")


def rows(name: str, count: int) -> Iterator[Rejection]:
    """Rows, made when they are asked for."""
    return (Rejection(f"{name}-{number}", "any", "any", "") for number in range(count))


if __name__ == "__main__":
    main()
