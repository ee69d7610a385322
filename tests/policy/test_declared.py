"""What is imported is declared: a library that another one brings along may go with it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("blip_core", "tasks", "flows", "deployments", "docs")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def brought() -> Mapping[str, list[str]]:
    """By top-level module: the packages that bring it."""
    return packages_distributions()


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    names = (re.match(r"[\w.-]+", one) for one in (*project["dependencies"], *extras))
    return {canonical(name.group()) for name in names if name}


def imported(package: str) -> Iterator[tuple[str, Path]]:
    """Top-level modules of others that a package imports anywhere in its files."""
    for file in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            tops = {name.partition(".")[0] for name in names}
            yield from ((top, file) for top in tops - sys.stdlib_module_names - {*OURS, "tests"})


@pytest.mark.parametrize("package", OURS)
def test_every_library_that_is_imported_is_declared(package):
    brought_by, known = brought(), declared()
    missing = {
        f"{module} in {file.relative_to(ROOT)}"
        for module, file in imported(package)
        if not known & {canonical(name) for name in brought_by.get(module, [module])}
    }
    assert not missing


def test_imports_inside_functions_are_found_too():
    assert {"httpx2", "torch", "mlflow"} <= {module for module, _ in imported("blip_core")}
