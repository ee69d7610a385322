"""Where a run finds and leaves everything."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import category

from blip_core.errors import PlaceError
from blip_core.prefetching import LOCK_NAME
from blip_core.store import Store
from blip_core.tracking import MlflowTracker, Registry, artifact_root, prepare_store
from blip_core.wiring.logins import part_logins

DEFAULT_HOME = "~/.blip-foundry"
_UNSPEAKABLE = ("Cc", "Cs")  # control characters, and bytes that are no text in this file system's encoding
_ROOM_BELOW = 512  # bytes of the longest path that is made below a home, twice over


@dataclass(frozen=True)
class Workplace:
    """Where a run finds and leaves everything."""

    home: Path
    models: Path
    tracking_uri: str

    @property
    def store(self) -> Store:
        return _store(self.home / "store")

    @property
    def lock(self) -> Path:
        """Lock file of the hub checkpoints."""
        return self.home / LOCK_NAME

    @property
    def training(self) -> Path:
        """Checkpoints of tunings that are not finished, a folder a key."""
        return self.home / "training"

    @property
    def answers(self) -> Path:
        """Answers of servers to stages that are not finished."""
        return self.home / "answers"

    @property
    def journal(self) -> Path:
        return self.home / "journal"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def rates(self) -> Path:
        """How fast stages were elsewhere, where somebody put such a file here."""
        return self.home / "rates.json"

    @property
    def mlflow(self) -> Path:
        return self.home / "mlflow"

    @property
    def prefect(self) -> Path:
        return self.home / "prefect"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def tracker(self) -> MlflowTracker:
        """The tracker of this place; the database of its own is set up when it is first asked for."""
        if self.tracking_uri:
            return MlflowTracker(self.tracking_uri, self.journal)
        return MlflowTracker(prepare_store(self.mlflow), self.journal, artifact_root(self.mlflow))

    def registry(self) -> Registry:
        """The registry of adapters of this place's MLflow."""
        return Registry(self.tracking_uri or prepare_store(self.mlflow))


def workplace() -> Workplace:
    """The workplace that the environment names; its home is made if need be.

    Raises:
        PlaceError: There is no home, or it cannot be written.
    """
    part_logins()
    home = _folder(os.environ.get("FOUNDRY_HOME") or DEFAULT_HOME, "FOUNDRY_HOME")
    _make_writable(home)
    models = _folder(os.environ.get("FOUNDRY_MODELS") or str(home / "models"), "FOUNDRY_MODELS")
    return Workplace(home, models, os.environ.get("MLFLOW_TRACKING_URI", ""))


def _folder(named: str, variable: str) -> Path:
    """A folder as the environment names it, made absolute."""
    try:
        folder = Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise PlaceError(
            f"{named} means nothing here: this user has no home folder. Name a whole path in {variable}."
        ) from error
    except FileNotFoundError as error:
        raise PlaceError(
            f"{named} is a path from the working directory, which is gone. Name a whole path in {variable}."
        ) from error
    if any(category(char) in _UNSPEAKABLE for char in str(folder)):
        raise PlaceError(
            f"{str(folder)!r} has characters in it that are no text. Name another folder in {variable}."
        )
    return folder


@cache
def _make_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
        longest = os.pathconf(home, "PC_PATH_MAX")
    except OSError as error:
        raise PlaceError(
            f"{home} cannot be written: {error.strerror}. Name another folder in FOUNDRY_HOME."
        ) from error
    if len(os.fsencode(home)) + _ROOM_BELOW > longest:
        raise PlaceError(
            f"{home} is too long a path to keep files below. Name another folder in FOUNDRY_HOME."
        )


@cache
def _store(root: Path) -> Store:
    return Store(root)
