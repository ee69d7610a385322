"""Figures are drawn once for what they show: a run that finds its stages cached finds these, too."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blip_core.store import Store

KIND = "figures"
VERSION = 1  # of how they are drawn

Draw = Callable[[Path], Sequence[Path]]
"""Draws figures into a folder and gives their files."""


def drawn_once(store: Store, shown: Mapping[str, str], folder: Path, draw: Draw) -> list[Path]:
    """Figures of a run in its folder, drawn now or by an earlier run, in the order that they are drawn in.

    Args:
        store: keeps them.
        shown: digests of all that they show.
        folder: of the run.
        draw: draws them; what it gives for equal digests has to be equal.
    """

    def build(made: Path) -> dict[str, Any]:
        names = [one.name for one in draw(made)]
        return {"rows": len(names), "names": names}

    drawing = {"version": VERSION, "matplotlib": version("matplotlib")}
    held = store.publish(store.key(KIND, {**drawing, "shown": dict(shown)}), KIND, build)
    return [Path(shutil.copyfile(held.path / name, folder / name)) for name in held.metadata["names"]]
