"""MLflow's store in a PostgreSQL database: set up by one process at a time, wherever the others run."""

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from blip_core import strict_json
from blip_core.connecting import without_password
from blip_core.databases import DRIVER, connected, one_at_a_time, revision, with_driver
from blip_core.errors import DatabaseAway, TrackingError

UPGRADE = "blip_core.tracking.upgrade"  # run by name, in a process of its own
_UNKNOWN_REVISION = "Can't locate revision"
_NEWER = "a newer MLflow wrote it, which has to be installed again to read it"
_NOTE_CHARS = 12
_SHOWN_CHARACTERS = 300


def prepare_database(home: Path, address: str, variable: str) -> str:
    """Set up the tables of a database, once, whatever number of processes and machines ask.

    Args:
        home: folder for the note that spares this machine to ask MLflow again, and for files of runs.
        address: of the database.
        variable: of the environment, that named it.

    Returns:
        The address for MLflow. While the server is away a database that was set up before is taken to be
        as it was.

    Raises:
        PlaceError: The database cannot be used.
        TrackingError: It cannot be set up.
    """
    uri = with_driver(address, DRIVER)
    try:
        with connected(address, variable) as connection:
            found = revision(connection)
    except DatabaseAway:
        if _noted(home, address):
            return uri
        raise
    if not found or found != _noted(home, address):
        with one_at_a_time(address, variable) as connection:
            _upgrade(uri, home.resolve() / "artifacts")
            _note(home, address, revision(connection))
    return uri


def _upgrade(uri: str, artifacts: Path) -> None:
    """Bring a database, or none, to the installed MLflow's schema; the address goes where nobody lists it."""
    upgrade = subprocess.run(
        [sys.executable, "-m", UPGRADE],
        input=strict_json.dumps({"uri": uri, "artifacts": artifacts.as_uri()}).encode(),
        capture_output=True,
        check=False,
    )
    if upgrade.returncode:
        said = without_password(upgrade.stderr.decode("utf-8", "backslashreplace").strip())
        reason = _NEWER if _UNKNOWN_REVISION in said else said[-_SHOWN_CHARACTERS:]
        raise TrackingError(f"MLflow's database {without_password(uri)} cannot be set up: {reason}")


def _noted(home: Path, address: str) -> str:
    """Revision that this MLflow left the tables at; empty where it has not seen them from this machine."""
    try:
        note = strict_json.loads(_note_path(home, address).read_text(encoding="utf-8"))
        return str(note["schema"]) if note["mlflow"] == version("mlflow") else ""
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""


def _note(home: Path, address: str, schema: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    note = {"mlflow": version("mlflow"), "schema": schema, "database": without_password(address)}
    _note_path(home, address).write_text(strict_json.dumps(note), encoding="utf-8")


def _note_path(home: Path, address: str) -> Path:
    digest = hashlib.sha256(without_password(address).encode()).hexdigest()
    return home / f"prepared-{digest[:_NOTE_CHARS]}.json"
