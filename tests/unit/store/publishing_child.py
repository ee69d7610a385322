"""Publishes one artefact in a process of its own, which dies where it is told to: ROOT POINT."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from blip_core.store import Store


def build(folder: Path, reach: Callable[[str], None] = lambda _: None) -> dict[str, int]:
    (folder / "data").mkdir()
    (folder / "data" / "rows.txt").write_text("one\ntwo\n")
    reach("build")
    (folder / "notes.txt").write_text("done")
    return {"rows": 2}


def die_at(point: str) -> None:
    if point == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    store = Store(Path(sys.argv[1]), reach=die_at)
    store.publish(store.key("rows", {}), "rows", lambda folder: build(folder, die_at))
