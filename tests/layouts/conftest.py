"""Each repository is built once a session."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Callable[[str], Path]:
    """Folder of a layout by the name of its file; read only."""
    built: dict[str, Path] = {}

    def folder_of(name: str) -> Path:
        if name not in built:
            built[name] = tmp_path_factory.mktemp(name) / name
            import_module(f"tests.layouts.{name}").build(built[name])
        return built[name]

    return folder_of
