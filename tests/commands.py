"""`foundry` as a person types it, in this process: what it prints and how it ends."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.cli.app import main


@dataclass(frozen=True)
class Done:
    """What a command did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """What it told as JSON."""
        told: dict[str, Any] = json.loads(self.out)
        return told


def foundry(*typed: str) -> Done:
    """Run a command in this process, in the environment that there is."""
    with (
        tempfile.TemporaryDirectory() as folder,
        written(Path(folder)) as streams,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["foundry", *typed])
        code = _ended(main)
        sys.stdout.flush()
        sys.stderr.flush()
        return Done(code, *(path.read_text() for path in streams))


def _ended(program: Callable[[], None]) -> int:
    with pytest.raises(SystemExit) as end:
        program()
    return int(end.value.code or 0)


@contextmanager
def written(folder: Path) -> Iterator[Sequence[Path]]:
    """Have what is printed in files: JSON goes past Python's own streams."""
    paths = [folder / "out", folder / "err"]
    kept = [os.dup(number) for number in (1, 2)]
    with paths[0].open("w") as out, paths[1].open("w") as err:
        for number, stream in ((1, out), (2, err)):
            os.dup2(stream.fileno(), number)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield paths
        finally:
            for number, before in ((1, kept[0]), (2, kept[1])):
                os.dup2(before, number)
                os.close(before)
