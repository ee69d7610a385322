"""Which test reaches which line: coverage.py, with one context a test."""

import ast
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path

import coverage
import pytest

MOST_SECONDS = 30.0  # of tests a mutant; what no test so near finds counts as not found


@dataclass
class Reach:
    """What running some tests taught.

    Attributes:
        lines: for each file and line, the tests that pass there, or their file where a fixture does.
        seconds: how long each test took.
        failed: tests that fail without any mutant, and are left out.
        modules: what was imported in the end.
    """

    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> "Reach":
        kept = cls(**json.loads(file.read_text(encoding="utf-8")))
        kept.lines = {
            path: {int(line): tests for line, tests in lines.items()} for path, lines in kept.lines.items()
        }
        return kept

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


class Recorder:
    """Pytest plugin: a context for each test, and for what is set up before it."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._coverage = coverage.Coverage(
            data_file=None, source=[str(tree / "blip_core")], config_file=False
        )
        self._reach = Reach()

    def start(self) -> None:
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        began = time.monotonic()
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")
            self._reach.seconds[item.nodeid] = round(time.monotonic() - began, 3)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """A fixture shared by a file runs for the first test that asks; the others look at what it made."""
        self._coverage.switch_context(item.nodeid.partition("::")[0])
        try:
            return (yield)
        finally:
            self._coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reach.failed.append(report.nodeid)

    def result(self) -> Reach:
        self._coverage.stop()
        data = self._coverage.get_data()
        for file in data.measured_files():
            lines = {
                line: sorted(filter(None, contexts))
                for line, contexts in data.contexts_by_lineno(file).items()
                if any(contexts)
            }
            self._reach.lines[str(Path(file).relative_to(self._tree))] = lines
        self._reach.modules = sorted(sys.modules)
        return self._reach


def tests_of(reaches: Sequence[Reach], tree: Path, path: str, line: int) -> list[str]:
    """Tests that pass the line, nearest first and then the quickest, as many as `MOST_SECONDS` allow.

    A line outside functions runs at import: then all tests of the room, and those that pass the file.
    """
    room = path.split("/")[1]
    statement = _statement(tree / path, line)
    found: set[str] = set()
    seconds: dict[str, float] = {}
    for reach in reaches:
        usable = {test: taken for test, taken in reach.seconds.items() if test not in reach.failed}
        seconds |= usable
        passed = reach.lines.get(path, {})
        numbers = [line] if line in passed and line in statement else statement or passed
        contexts = {context for number in numbers for context in passed.get(number, ())}
        found |= {test for test in usable if test in contexts or _file(test) in contexts}
        if not statement:
            found |= {test for test in usable if test.startswith(f"tests/unit/{room}/")}
    nearest = sorted(found, key=lambda test: (*_distance(test, room, Path(path).stem), seconds[test], test))
    spent = accumulate(seconds[test] for test in nearest)
    return [test for test, until in zip(nearest, spent, strict=True) if until <= MOST_SECONDS]


def _file(test: str) -> str:
    return test.partition("::")[0]


def _distance(test: str, room: str, stem: str) -> tuple[bool, bool]:
    return not test.startswith(f"tests/unit/{room}/"), stem not in Path(_file(test)).stem


def _statement(file: Path, line: int) -> list[int]:
    """Lines of the statement of a function in which the line stands; empty for what runs at import.

    What stands above a function's body, decorators and defaults, is felt wherever the body runs.
    """
    functions = [
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]
    statements = [
        (statement.lineno, _last_line(statement))
        for function in functions
        for statement in _body(function)
        if statement.lineno <= line <= (statement.end_lineno or 0)
    ]
    if statements:
        first, last = max(statements)
        return [line, *range(first, last + 1)]
    for function in functions:
        if not isinstance(function, ast.Lambda):
            first, body = (
                min([function.lineno, *(one.lineno for one in function.decorator_list)]),
                function.body,
            )
            if first <= line < body[0].lineno:
                return list(range(body[0].lineno, (body[-1].end_lineno or 0) + 1))
    return []


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[ast.stmt | ast.expr]:
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    for statement in body:
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.stmt) or node is statement)


def _last_line(statement: ast.stmt | ast.expr) -> int:
    """The last line of what stands before the block, where a block follows."""
    block = getattr(statement, "body", None)
    return block[0].lineno - 1 if isinstance(block, list) else statement.end_lineno or statement.lineno
