"""What a check found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blip_core.recipes import Recipe
from blip_core.wiring import Workplace

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an examination.

    Attributes:
        check: what was looked at.
        state: a warning does no harm by itself; a problem makes runs fail.
        said: what is there.
        remedy: how to mend it; empty where nothing is wrong.
    """

    check: str
    state: State
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is examined.

    Attributes:
        place: whose store, journals and servers.
        recipe: whose checkpoints and device; none, what is locked is looked at.
        thorough: compare every file with its digest, whatever its time says.
        prefect_port: where the Prefect page would be served.
        mlflow_port: where the MLflow page would be served.
        typed: the recipe as it was named on the command line, with profile and overrides.
    """

    place: Workplace
    recipe: Recipe | None
    thorough: bool
    prefect_port: int
    mlflow_port: int
    typed: str = "RECIPE --profile P"


def shortened(names: list[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def folder_bytes(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
