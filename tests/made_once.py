"""What costs seconds to make is made by the first worker that asks; the others wait and use the same."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

Make = Callable[[Path], object]
MadeOnce = Callable[[str, Make], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Gives the folder of a name, filled once for all workers; whoever changes something copies it first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def folder_of(name: str, make: Make) -> Path:
        folder, whole = shared / name, shared / f"{name}.whole"
        with FileLock(shared / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # as somebody left it who failed
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return folder_of
