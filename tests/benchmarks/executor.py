"""Shards by several workers against one: `make bench-executor`.

Pictures and labels of the bundled models, by one process of one thread, two of them, and two Ray actors, in
turn. All start before anything is timed; what they make is compared first. Then shards that are no work, by
the thousand: what sharing out takes of time and memory.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from blip_core.recipes import Recipe, load_recipe
from blip_core.records import Picture, Scene
from blip_core.store import Artifact, read_rows
from blip_core.wiring import prepare_environment, workplace
from deployments.cluster import Cluster, cluster
from tasks.crews import crew_for, employing
from tasks.label_pictures import labelling_shards
from tasks.paint_pictures import FILE as PICTURES
from tasks.paint_pictures import painting_shards
from tasks.shards import in_runs, publish_shards
from tests.benchmarks import executor_page, measuring
from tests.benchmarks.processors import with_measured

RESULTS = measuring.RESULTS / "executor.json"
TURNS = 5
ROWS, ROWS_A_SHARD = 192, 32
SHARDS = (1000, 10_000)
PORT = 26381
ENGINES: Mapping[str, Sequence[str]] = {
    "one process": ("device.executor=processes", "device.workers=1"),
    "two processes": ("device.executor=processes", "device.workers=2"),
    "two actors": ("device.executor=ray", "device.workers=2"),
}
STAGES = ("pictures", "labels")
REPOSITORY = Path(__file__).parents[2]


class Bench:
    """One store, in which each engine makes the same shards anew.

    Args:
        running: the cluster of the actors.
        rows: scenes that are painted, and then labelled.
    """

    def __init__(self, running: Cluster, rows: int) -> None:
        self._running = running
        texts = [f"A dog and {line} balls on the beach." for line in range(rows)]
        self._scenes = [Scene(f"pets-{line:05d}", "pets", text, 0, line) for line, text in enumerate(texts)]
        self._pictures: list[Picture] = []
        self.digests: dict[str, set[str]] = {stage: set() for stage in STAGES}

    def make(self, engine: str, stage: str) -> dict[str, float]:
        """Let an engine make a stage's shards; wall seconds, and CPU seconds of whom."""
        recipe = recipe_of(engine)
        actors = engine == "two actors"
        before, began = self._cpu(actors), time.monotonic()
        made = self._publish(recipe, stage)
        seconds = time.monotonic() - began
        spent = {name: value - before[name] for name, value in self._cpu(actors).items()}
        self.digests[stage].add(" ".join(one.digest for one in made))
        if stage == "pictures":
            self._pictures = [row for one in made for row in read_rows(one.path / PICTURES, Picture)]
        self._forget(made)
        return {"seconds": seconds, **spent}

    def _publish(self, recipe: Recipe, stage: str) -> list[Artifact]:
        opens, rows = (
            (painting_shards, self._scenes) if stage == "pictures" else (labelling_shards, self._pictures)
        )
        with opens(recipe) as work, crew_for(recipe, opens) as crew:  # type: ignore[operator]
            return publish_shards(work, in_runs(rows, ROWS_A_SHARD), len(rows), crew)  # type: ignore[arg-type]

    def _forget(self, made: Sequence[Artifact]) -> None:
        for one in made:
            workplace().store.remove(one.key)

    def _cpu(self, actors: bool) -> dict[str, float]:
        """CPU seconds so far of the workers of an engine, of this process, and of Ray beside its actors."""
        own = psutil.Process()
        nodes = [psutil.Process(one.pid) for one in self._running.nodes.members.values()]
        of_ray = [one for node in nodes for one in (node, *node.children(recursive=True))]
        is_actor = {one.pid: name_of(one).startswith("ray::Actor") for one in of_ray}
        local = [one for one in own.children(recursive=True) if "execution.worker" in name_of(one)]
        workers = [one for one in of_ray if is_actor[one.pid]] if actors else local
        return {
            "workers": sum(map(cpu_of, workers)),
            "run": cpu_of(own),
            "ray": sum(cpu_of(one) for one in of_ray if not is_actor[one.pid]),
        }


def recipe_of(engine: str) -> Recipe:
    return load_recipe("gallery-vqa", "pocket", [*ENGINES[engine], "device.threads=1"])


def name_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def measure_stages(bench: Bench, turns: int) -> dict[str, Any]:
    """Each stage by each engine, so many times in turn.

    Raises:
        SystemExit: The engines made other bytes: there is nothing to compare.
    """
    for stage in STAGES:
        for engine in ENGINES:
            measuring.tell(f"{stage}: {engine} starts")
            bench.make(engine, stage)
    if any(len(digests) > 1 for digests in bench.digests.values()):
        sys.exit("the engines made other bytes; nothing was timed")
    found: dict[str, dict[str, list[dict[str, float]]]] = {
        stage: {engine: [] for engine in ENGINES} for stage in STAGES
    }
    for turn in range(turns):
        for stage in STAGES:
            for engine in ENGINES:
                found[stage][engine].append(bench.make(engine, stage))
            wall = ", ".join(f"{engine} {found[stage][engine][-1]['seconds']:.1f} s" for engine in ENGINES)
            measuring.tell(f"{stage}: turn {turn + 1} of {turns}, {wall}")
    return {stage: summed_up(found[stage]) for stage in STAGES}


def summed_up(turns: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Seconds, CPU seconds of the workers, and how many times as fast as one process, by turns."""
    alone = [turn["seconds"] for turn in turns["one process"]]
    told: dict[str, Any] = {}
    for engine, measured in turns.items():
        faster = [one / turn["seconds"] for one, turn in zip(alone, measured, strict=True)]
        told[engine] = {
            "seconds": measuring.spread([turn["seconds"] for turn in measured]),
            "worker_cpu_seconds": measuring.spread([turn["workers"] for turn in measured]),
            "times_as_fast": measuring.spread(faster),
        }
    rest = [turn["ray"] / turn["workers"] for turn in turns["two actors"] if turn["workers"]]
    told["ray_cpu_share"] = round(statistics.median(rest), 3) if rest else None
    return told


def measure_sharing(counts: Sequence[int]) -> dict[str, Any]:
    """What sharing out shards takes that are no work, in a run of its own each."""
    found: dict[str, Any] = {}
    for executor in ("processes", "ray"):
        for count in counts:
            with tempfile.TemporaryDirectory(prefix="foundry-bench-") as home:
                done = subprocess.run(
                    [sys.executable, "-m", "tests.benchmarks.executor_work", executor, str(count)],
                    env={**os.environ, "FOUNDRY_HOME": home},
                    cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True,
                )  # fmt: skip
            found.setdefault(executor, []).append(json.loads(done.stdout))
            measuring.tell(f"{executor}: {found[executor][-1]}")
    return found


@contextmanager
def cluster_here() -> Iterator[Cluster]:
    """Two nodes of one CPU, which this process is let into."""
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    with cluster(PORT, nodes=2, cpus=1) as running:
        os.environ.update(running.environment)
        yield running


def main() -> None:
    """Measure, and write results and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--shards", type=int, nargs="+", default=SHARDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before anything was written"))
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="foundry-bench-"))
        os.environ["FOUNDRY_HOME"] = home
        prepare_environment(workplace())
        running = stack.enter_context(cluster_here())
        sharing = measure_sharing(asked.shards)
        with employing():
            stages = measure_stages(Bench(running, asked.rows), asked.turns)
    entry = {
        "machine": measuring.machine(1),
        "versions": measuring.versions(),
        "load_before": round(load, 1),
        "rows": asked.rows,
        "rows_a_shard": ROWS_A_SHARD,
        "stages": stages,
        "sharing": sharing,
    }
    results = with_measured(measuring.read(asked.out), entry)
    measuring.write(asked.out, results, executor_page.page(results))


if __name__ == "__main__":
    main()
