"""A forge of tunings, and what an undisturbed one ends with."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.campaigns.training.tuning import CHECKPOINTS, DIGESTS, STEPS, WORK
from tests.faults.forge import Forge
from tests.tiny_blip2 import FolderOf


class Tunings:
    """Tunings of one base in homes of their own."""

    def __init__(self, forge: Forge, base: Path, root: Path) -> None:
        self._forge = forge
        self._base = base
        self._root = root
        self._homes = 0
        self.undisturbed = self.finish(self.new_home())
        assert self.undisturbed["steps"] == STEPS

    def new_home(self, like: Path | None = None) -> Path:
        """An empty home, or a copy of another."""
        self._homes += 1
        home = self._root / str(self._homes)
        if like:
            return Path(shutil.copytree(like, home))
        home.mkdir()
        return home

    def kill(self, home: Path, **fatal: int) -> Path:
        """Run until it dies."""
        code = self._forge.run(WORK, home=str(home), base=str(self._base), **fatal)
        assert code == -signal.SIGKILL, self._forge.log.read_text()
        return home

    def finish(self, home: Path, **changed: Any) -> dict[str, Any]:
        """Run to the end; what came of it."""
        code = self._forge.run(WORK, home=str(home), base=str(self._base), **changed)
        assert code == 0, self._forge.log.read_text()
        return json.loads((home / DIGESTS).read_text())

    def assert_ends_undisturbed(self, home: Path, resumed_at: int | None) -> None:
        assert self.finish(home) == {**self.undisturbed, "resumed_at": resumed_at}


def steps_kept(home: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (home / CHECKPOINTS).glob("step-*"))


@pytest.fixture(scope="module")
def tunings(tiny_blip2: FolderOf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunings]:
    root = tmp_path_factory.mktemp("tunings")
    with Forge(["tests.campaigns.training.tuning"], root / "forge.log") as forge:
        yield Tunings(forge, tiny_blip2("t5"), root)
