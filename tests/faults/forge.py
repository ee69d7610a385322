"""Workers by the hundred: one process imports everything once and forks a worker for every job.

Forking is safe there because the process has one thread and has computed nothing, which it checks. A worker
runs one function and is the process that a test kills.

Run as `python -m tests.faults.forge MODULE ...`; one JSON object a line goes in, one number a line comes out:
`{"job": {"work": "module:function", ...}}` gives the worker's process id, `{"wait": ID}` its exit code.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

REPOSITORY = Path(__file__).parents[2]
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}


class Forge:
    """A process that forks workers, from the side of the test.

    Args:
        modules: what the workers need imported.
        log: gets all that the workers print.
        environment: what the modules shall find when they are imported, beside what there is.
    """

    def __init__(
        self, modules: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        own = {"PYTHONPATH": str(REPOSITORY), **_ONE_THREAD}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.forge", *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                cwd=log.parent,
                env=os.environ | own | (environment or {}),
                start_new_session=True,
            )

    @property
    def group(self) -> int:
        """Process group of the forge and of everything its workers start."""
        return self._process.pid

    def start(self, work: str, **job: Any) -> int:
        """Fork a worker that calls `module:function`; gives its process id."""
        return self._ask({"job": {"work": work, **job}})

    def wait(self, worker: int) -> int:
        """Wait for a worker; gives its exit code, negative for a signal."""
        return self._ask({"wait": worker})

    def run(self, work: str, **job: Any) -> int:
        """Fork a worker and wait for it."""
        return self.wait(self.start(work, **job))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def _ask(self, question: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.log.read_text()
        return int(answer)


def main() -> None:
    """Import the modules that are named, then fork a worker for every job."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    for name in sys.argv[1:]:
        importlib.import_module(name)
    threads = os.listdir("/proc/self/task")  # noqa: PTH208 - names are all that is wanted
    if len(threads) != 1:
        raise SystemExit(f"{len(threads)} threads run after the imports: forking here is not safe")
    for line in sys.stdin:
        question = json.loads(line)
        answer = _fork(question["job"]) if "job" in question else _exit_code(question["wait"])
        answers.write(f"{answer}\n")
        answers.flush()
    os._exit(0)  # what was imported takes seconds to take down


def _fork(job: dict[str, Any]) -> int:
    worker = os.fork()
    if worker:
        return worker
    code = 1
    try:
        module, function = job.pop("work").split(":")
        getattr(importlib.import_module(module), function)(**job)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the log shows it and the exit code tells
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def _exit_code(worker: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])


if __name__ == "__main__":
    main()
