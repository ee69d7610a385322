"""Pytest in a child of a process that has torch and its family loaded already: two seconds instead of ten."""

import importlib
import json
import os
import runpy
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

_OURS = ("blip_core", "tasks", "flows", "deployments", "docs", "tests", "__main__")
_PLUGINS = ("_pytest", "pytest", "hypothesis", "_hypothesis", "xdist", "execnet", "anyio")


def preload(modules: list[str], tree: Path) -> None:
    """Import what the tests were seen to load, with the environment that their conftest gives."""
    runpy.run_path(str(tree / "tests" / "conftest.py"))
    for name in modules:
        if name.partition(".")[0] not in _OURS + _PLUGINS:
            try:
                importlib.import_module(name)
            except BaseException:  # noqa: BLE001, S112 (a module that only its own package can load)
                continue


@dataclass(frozen=True)
class Outcome:
    """How a run of some tests ended: survived, killed by the first test that failed, or timeout."""

    status: str
    failed: str
    seconds: float


class _Chosen:
    """Keeps the tests asked for, or all of a file, in the order asked for, and notes the first that fails."""

    def __init__(self, tests: list[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if self._rank(item) is not None), key=self._rank)

    def _rank(self, item: pytest.Item) -> int | None:
        return self._place.get(item.nodeid, self._place.get(item.nodeid.partition("::")[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = f"{report.nodeid} (import)"


class _NoShrinking:
    """A counterexample is enough; the smallest one takes long and helps nobody here."""

    def pytest_sessionstart(self) -> None:
        phases = [
            phase
            for phase in hypothesis.Phase
            if phase not in (hypothesis.Phase.shrink, hypothesis.Phase.explain)
        ]
        hypothesis.settings.register_profile("mutants", hypothesis.settings(), phases=phases, database=None)
        hypothesis.settings.load_profile("mutants")


def run_tests(tree: Path, tests: list[str], scratch: Path, limit: float) -> Outcome:
    """The tests one after the other, until one fails or the limit is over (seconds)."""
    note = scratch / "outcome.json"
    note.unlink(missing_ok=True)

    def work() -> None:
        sys.dont_write_bytecode = True  # what is compiled now is a mutant
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        chosen = _Chosen(tests)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        code = run_pytest(["--exitfirst", *files], [chosen])
        note.write_text(json.dumps([int(code), chosen.failed]), encoding="utf-8")

    began = time.monotonic()
    in_time = in_child(tree, work, scratch, limit)
    seconds = round(time.monotonic() - began, 1)
    if not in_time:
        return Outcome("timeout", "", seconds)
    if not note.is_file():
        return Outcome("killed", "the process broke off", seconds)
    code, failed = json.loads(note.read_text(encoding="utf-8"))
    return Outcome("survived" if code == pytest.ExitCode.OK else "killed", failed, seconds)


def run_pytest(arguments: list[str], plugins: list[object]) -> int:
    """Pytest in this process; the seed of hypothesis makes runs alike."""
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0", "--tb=line"]
    ignored = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return pytest.main([*quiet, *ignored, *arguments], [_NoShrinking(), *plugins])


def in_child(tree: Path, work: Callable[[], None], scratch: Path, limit: float) -> bool:
    """Whether the work ended in time; its words go to `scratch/log.txt`, its processes die with it."""
    with _folder(scratch / "tmp") as temporary:
        child = os.fork()
        if child == 0:
            _become_child(tree, temporary, scratch / "log.txt")
            try:
                work()
            finally:
                sys.stdout.flush()
                os._exit(0)
        return _wait(child, limit)


def _become_child(tree: Path, temporary: Path, log: Path) -> None:
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ |= {"PYTHONPATH": str(tree), "TMPDIR": str(temporary)}


def _wait(child: int, limit: float) -> bool:
    end = time.monotonic() + limit
    try:
        while time.monotonic() < end:
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                return True
            time.sleep(0.05)
        return False
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    shutil.rmtree(path, ignore_errors=True)  # of one that was killed
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
