"""Where a run finds and leaves everything."""

import math
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from unicodedata import category

from blip_core import strict_json
from blip_core.backups import Database, Kept
from blip_core.connecting import without_password
from blip_core.databases import DRIVER, check_address, is_postgres, with_driver
from blip_core.errors import FoundryError, PlaceError
from blip_core.prefetching import LOCK_NAME
from blip_core.store import Store
from blip_core.store.places.objects import SCHEME
from blip_core.store.places.opening import CACHE_GB, StoreAddress
from blip_core.tracking import (
    MlflowTracker,
    Registry,
    artifact_root,
    prepare_database,
    prepare_store,
    sender,
)
from blip_core.tracking.sqlite import DATABASE
from blip_core.wiring.logins import part_logins

PREFECT_FILE = "prefect.db"
FORMAT = 1  # of what lies below a home
_NOTE = "home.json"
DEFAULT_HOME = "~/.blip-foundry"
MLFLOW_DATABASE = "FOUNDRY_MLFLOW_DATABASE"
PREFECT_DATABASE = "FOUNDRY_PREFECT_DATABASE"
_UNSPEAKABLE = ("Cc", "Cs")  # control characters, and bytes that are no text in this file system's encoding
_YES = ("1", "true", "yes")  # as obstore reads it
_ROOM_BELOW = 512  # bytes of the longest path that is made below a home, twice over


@dataclass(frozen=True)
class Workplace:
    """Where a run finds and leaves everything.

    Attributes:
        home: folder of all that rests here.
        models: folder of checkpoints.
        tracking_uri: of an MLflow elsewhere; empty, there is one in this place.
        mlflow_database: PostgreSQL database of this place's MLflow; empty, it is a file below the home.
        prefect_database: the same of Prefect.
    """

    home: Path
    models: Path
    tracking_uri: str
    store_address: StoreAddress | None = None
    """Where finished work rests, if not below the home."""
    mlflow_database: str = ""
    prefect_database: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether the store is in a bucket that other machines may use, too."""
        return self.store_address is not None and self.store_address.address.startswith(SCHEME)

    @property
    def store(self) -> Store:
        named = self.store_address
        if named is not None and self.is_shared:
            return _bucket(named)
        return _store(Path(named.address) if named else self.home / "store")

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
            return MlflowTracker(self.tracking_uri, self.journal, by=sender())
        return MlflowTracker(self.prepare_records(), self.journal, artifact_root(self.mlflow), sender())

    def load_records(self) -> None:
        """Set MLflow's database up, and let the process that sends to it load it meanwhile.

        What is wrong with it shows when a run is recorded.
        """
        with suppress(FoundryError):
            self.tracker().load()

    def kept(self) -> Kept:
        """What a backup of this place holds."""
        prefect = Database("prefect", self.prefect / PREFECT_FILE, self.prefect_database, PREFECT_DATABASE)
        mlflow = Database("mlflow", self.mlflow / DATABASE, self.mlflow_database, MLFLOW_DATABASE)
        folders = {"journal": self.journal, "artifacts": artifact_root(self.mlflow)}
        return Kept([mlflow, prefect], folders, {self.lock.name: self.lock}, self.store)

    def registry(self) -> Registry:
        """The registry of adapters of this place's MLflow."""
        return Registry(self.tracking_uri or self.prepare_records())

    def prepare_records(self) -> str:
        """Set up MLflow's database of this place, if that has yet to be done; its address.

        Raises:
            PlaceError: It cannot be reached or written.
            TrackingError: It cannot be set up.
        """
        if self.mlflow_database:
            return prepare_database(self.mlflow, self.mlflow_database, MLFLOW_DATABASE)
        return prepare_store(self.mlflow)


def workplace() -> Workplace:
    """The workplace that the environment names; its home is made if need be.

    Raises:
        PlaceError: There is no home, or it cannot be written.
    """
    part_logins()
    home = _folder(os.environ.get("FOUNDRY_HOME") or DEFAULT_HOME, "FOUNDRY_HOME")
    _make_writable(home)
    models = _folder(os.environ.get("FOUNDRY_MODELS") or str(home / "models"), "FOUNDRY_MODELS")
    tracking = os.environ.get("MLFLOW_TRACKING_URI", "")
    tracking = with_driver(tracking, DRIVER) if is_postgres(tracking) else tracking
    databases = _database(MLFLOW_DATABASE), _database(PREFECT_DATABASE)
    named = os.environ.get("FOUNDRY_STORE", "")
    address = _store_address(named, "FOUNDRY_STORE", home) if named else None
    return Workplace(home, models, tracking, address, *databases)


def _database(variable: str) -> str:
    address = os.environ.get(variable, "").strip()
    if address:
        check_address(address, variable)
    return address


def store_at(address: str, place: Workplace) -> Store:
    """The store at a folder or an address.

    Raises:
        PlaceError: It is no address of a store.
    """
    return replace(place, store_address=_store_address(address, "the command", place.home)).store


def _store_address(named: str, variable: str, home: Path) -> StoreAddress:
    scheme, found, _ = named.partition("://")
    if found and f"{scheme}://" != SCHEME:
        raise PlaceError(
            f"{without_password(named)} is no address of a store. Name a folder or s3://BUCKET/PREFIX "
            f"in {variable}."
        )
    address = named if found else str(_folder(named, variable))
    allow_http = os.environ.get("AWS_ALLOW_HTTP", "").lower() in _YES
    return StoreAddress(address, home / "store-caches", _cache_gb(), allow_http)


def _cache_gb() -> float:
    named = os.environ.get("FOUNDRY_STORE_CACHE_GB", "")
    try:
        size = float(named or CACHE_GB)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise PlaceError(
            f"FOUNDRY_STORE_CACHE_GB is {named!r}. Give the gigabytes that the cache may take, such as 50."
        )
    return size


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
    _refuse_newer(home)
    if len(os.fsencode(home)) + _ROOM_BELOW > longest:
        raise PlaceError(
            f"{home} is too long a path to keep files below. Name another folder in FOUNDRY_HOME."
        )


def _refuse_newer(home: Path) -> None:
    """Note the layout of a home in it; one that a newer version made is left alone."""
    note = home / _NOTE
    try:
        made = strict_json.loads(note.read_text(encoding="utf-8"))["format"]
    except FileNotFoundError:
        if any(home.iterdir()):  # else there is nothing yet that a version could have made
            note.write_text(strict_json.dumps({"format": FORMAT}), encoding="utf-8")
        return
    except (ValueError, KeyError, TypeError):  # torn by a power cut: homes of format 1 need no note
        return
    if not isinstance(made, int) or made > FORMAT:
        raise PlaceError(
            f"{home} has format {made}, and this blip-foundry knows up to {FORMAT}: install the version that "
            "made it, or name another folder in FOUNDRY_HOME"
        )


@cache
def _store(root: Path) -> Store:
    return Store(root)


@cache
def _bucket(address: StoreAddress) -> Store:
    return Store(address.open())
