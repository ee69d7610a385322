"""`python -m tests.gpu.report --minutes 12 --out DIR`: the figures that only a GPU can give."""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.gpu.report.parts import NAMES, parts_named
from tests.gpu.report.results import PartResult, Report
from tests.gpu.report.running import run

LOG = "log.txt"


def main(arguments: Sequence[str]) -> int:
    """Measure; exit code 1 where a part failed or a claim does not hold."""
    asked = _parser().parse_args(arguments)
    parts = parts_named(asked.parts)
    asked.out.mkdir(parents=True, exist_ok=True)
    report = Report(
        folder=asked.out,
        size="small" if asked.small else "full",
        minutes=asked.minutes,
        date=datetime.now(UTC).date().isoformat(),
        parts=[PartResult(part.name, part.title, part.bound_s) for part in parts],
    )
    signal.signal(signal.SIGTERM, _leave)
    run(report, parts, asked.out / LOG, "" if asked.small else "cuda", _say)
    _say(
        f"{asked.out}: {report.status}; claims that do not hold: {', '.join(report.broken_claims) or 'none'}"
    )
    return int(bool(report.broken_claims) or any(part.status == "failed" for part in report.parts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.report", description=__doc__)
    parser.add_argument("--minutes", type=float, default=12.0, help="after these it ends, whatever is left")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--small", action="store_true", help="tiny models: tries the code, on a CPU as well")
    parser.add_argument("--parts", default="", metavar="NAMES", help=f"only these of {','.join(NAMES)}")
    return parser


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
