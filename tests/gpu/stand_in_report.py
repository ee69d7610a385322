"""A report over a stand-in of the worker, to be killed: `python -m tests.gpu.stand_in_report DIR NAME...`."""

import sys
from pathlib import Path

from tests.gpu.report.parts import Part
from tests.gpu.report.results import PartResult, Report
from tests.gpu.report.running import run

STAND_IN = (sys.executable, "-m", "tests.gpu.stand_in_worker")


def begin(folder: Path, names: list[str], bound_s: float = 60.0, minutes: float = 5.0) -> Report:
    """Work stand-in parts of such names."""
    parts = [Part(name, name, bound_s) for name in names]
    results = [PartResult(part.name, part.title, part.bound_s) for part in parts]
    report = Report(folder, "small", minutes, "2026-11-30", results)
    run(report, parts, folder / "log.txt", command=STAND_IN)
    return report


if __name__ == "__main__":
    begin(Path(sys.argv[1]), sys.argv[2:])
