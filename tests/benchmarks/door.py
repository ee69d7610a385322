"""What a person waits for before and after the work: `make bench-door`, on a machine that does nothing else.

A run of which everything is cached, and a table of 100 rows that nobody asked before, each as a command of
its own, in turn; first where no server is up, then beside `foundry ui`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from blip_core.launching.guard import ProcessGroups
from tests.benchmarks import door_page, measuring
from tests.benchmarks.processors import with_measured
from tests.deployments.conftest import free_port

RESULTS = measuring.RESULTS / "door.json"
TURNS = 5
ROWS = 100
QUESTIONS = Path(__file__).parents[2] / "blip_core/pocket/evalset/shifted.parquet"
RUN = ("run", "gallery-vqa", "--set", "scenes.count=20", "--json")
_STARTUP_SECONDS = 120.0
# As where the house was installed: what Python compiled once stays, whatever this environment says.
_KEPT = {"PYTHONDONTWRITEBYTECODE": ""}


class Door:
    """One home, in which a recipe was run once.

    Args:
        home: a new folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._environment = {**os.environ, **_KEPT, "FOUNDRY_HOME": str(home / "home")}
        self._questions = pq.read_table(QUESTIONS)  # type: ignore[no-untyped-call]
        self._asked = 0

    def run(self) -> dict[str, Any]:
        """Run the recipe; what it took, and whether each stage was cached."""
        took, told = self._timed(RUN)
        return {**took, "cached": all(stage["cached"] for stage in told["stages"].values())}

    def predict(self) -> dict[str, Any]:
        """Let a model answer rows that were never asked; what it took."""
        table = self._home / f"rows-{self._asked}.parquet"
        pq.write_table(self._questions.slice(self._asked * ROWS, ROWS), table)  # type: ignore[no-untyped-call]
        self._asked += 1
        took, told = self._timed(("predict", str(table), "--out", str(table.with_suffix("")), "--json"))
        return {**took, "rows": told["answered"]}

    @contextmanager
    def served(self) -> Iterator[None]:
        """Keep `foundry ui` up."""
        log = self._home / "ui.log"
        ports = ["--prefect-port", str(free_port()), "--mlflow-port", str(free_port())]
        with ExitStack() as stack:
            groups = stack.enter_context(ProcessGroups())
            command = [sys.executable, "-m", "flows.cli.app", "ui", *ports]
            groups.start("ui", command, self._environment, stack.enter_context(log.open("wb")))
            deadline = time.monotonic() + _STARTUP_SECONDS
            while "Ctrl-C" not in log.read_text():
                if groups.ended() or time.monotonic() > deadline:
                    sys.exit(f"foundry ui did not come up: {log.read_text()}")
                time.sleep(0.5)
            yield

    def _timed(self, typed: Sequence[str]) -> tuple[dict[str, float], Any]:
        """Wall and CPU seconds of a command and of all it started, and the load before; what it told."""
        load, before, began = os.getloadavg()[0], _cpu_seconds(), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli.app", *typed],
            env=self._environment, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        seconds = time.monotonic() - began
        return {"seconds": seconds, "cpu": _cpu_seconds() - before, "load": load}, json.loads(done.stdout)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(door: Door, where: str, turns: int) -> dict[str, Any]:
    """Both commands so many times in turn.

    Raises:
        SystemExit: A stage was worked that should have been cached, or rows were left out.
    """
    found: dict[str, list[dict[str, Any]]] = {"run": [], "predict": []}
    for turn in range(turns):
        for name, command in (("run", door.run), ("predict", door.predict)):
            found[name].append(command())
        run, predict = found["run"][-1], found["predict"][-1]
        if not run["cached"] or predict["rows"] != ROWS:
            sys.exit(f"nothing can be said: {run}, {predict}")
        measuring.tell(
            f"{where}: turn {turn + 1} of {turns}, cached run {run['seconds']:.1f} s, {ROWS} rows "
            f"{predict['seconds']:.1f} s, load {run['load']:.1f}"
        )
    return {name: summed_up(many) for name, many in found.items()}


def summed_up(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: measuring.spread([turn[name] for turn in turns]) for name in ("seconds", "cpu", "load")}


def main() -> None:
    """Measure, and write results and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foundry-bench-") as home:
        door = Door(Path(home))
        measuring.tell("the first run makes what the others find")
        door.run()
        alone = measure(door, "no server up", asked.turns)
        with door.served():
            beside = measure(door, "beside foundry ui", asked.turns)
    entry = {
        "machine": measuring.machine(os.cpu_count() or 1),
        "versions": measuring.versions(),
        "rows": ROWS,
        "alone": alone,
        "beside": beside,
    }
    results = with_measured(measuring.read(asked.out), entry)
    measuring.write(asked.out, results, door_page.page(results))


if __name__ == "__main__":
    main()
