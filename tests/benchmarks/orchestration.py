"""CPU time of the pocket pipeline: under Prefect, store and MLflow, and by the library alone.

Run by `make bench-orchestration`, on a machine that does nothing else. Runs are fresh processes, one after
the other. The first in a new home also sets up the databases of Prefect and MLflow, once; the second is what
a run costs from then on. Its scores must be those of the library. CPU time counts every process that a run
starts, servers among them: this process adopts those that outlive their parents.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cpu_seconds(command: list[str], home: Path) -> tuple[float, str]:
    """CPU seconds of a command and of all it started, and what it printed."""
    before = _spent()
    environment = os.environ | {"FOUNDRY_HOME": str(home)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    _wait_for_orphans()
    return _spent() - before, done.stdout


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wait_for_orphans() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def main() -> None:
    """Measure both ways and print the ratios."""
    adopt_orphans()
    foundry = str(Path(sys.executable).with_name("foundry"))
    with tempfile.TemporaryDirectory() as place:
        direct, plain, run = Path(place, "direct"), Path(place, "plain"), Path(place, "run")
        direct.mkdir()
        library, printed = cpu_seconds(
            [sys.executable, "-m", "tests.benchmarks.library_pipeline", str(direct)], plain
        )
        first, _ = cpu_seconds([foundry, "run", "gallery-vqa", "--set", "seed=1", "--json"], run)
        later, summary = cpu_seconds([foundry, "run", "gallery-vqa", "--json"], run)
    ours = {name: one["accuracy"] for name, one in json.loads(summary)["variants"].items()}
    theirs = {name: float(value) for name, value in (line.split() for line in printed.splitlines()[-3:])}
    same = all(abs(ours[name] - theirs[name]) < 1e-3 for name in ours)
    sys.stdout.write(f"library alone {library:.1f} CPU s\n")
    sys.stdout.write(f"foundry run   {later:.1f} CPU s, ratio {later / library:.3f}\n")
    sys.stdout.write(
        f"first run     {first:.1f} CPU s, ratio {first / library:.3f} (sets up two databases)\n"
    )
    sys.stdout.write(f"scores {'equal' if same else 'DIFFER'}\n")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
