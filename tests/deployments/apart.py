"""Hosts of their own for a test: namespaces of Linux, in which a script plays what a page or a file says."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORLD = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")
_LAST_CHARACTERS = 6000  # of what a script that failed said
_LAST_OF_A_LOG = 2000


@contextmanager
def folder_of_hosts(prefix: str) -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def played(script: str, folder: Path) -> dict[str, Any]:
    """What a script, a module of ours, tells of what it did in namespaces of its own."""
    done = subprocess.run(
        [*WORLD, sys.executable, "-m", script, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    logs = "\n".join(path.read_text(errors="replace")[-_LAST_OF_A_LOG:] for path in folder.glob("*.log"))
    assert done.returncode == 0, done.stderr[-_LAST_CHARACTERS:] + logs
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
