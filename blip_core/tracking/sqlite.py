"""MLflow's SQLite store on this machine: set up once, and served by one command."""

import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from importlib.metadata import entry_points, version
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock

from blip_core import strict_json
from blip_core.errors import PlaceError, TrackingError
from blip_core.tracking.pages import APP

DATABASE = "mlflow.db"
_PREPARED = "prepared.json"  # names the MLflow that last set the database up, and the revision of its tables
_MAKING = ".making"  # ends the name of a database that is being made
_OF_EARLIER_NOTES = ""  # which named no revision
_UNKNOWN_REVISION = "Can't locate revision"
_NEWER = "a newer MLflow wrote it, which has to be installed again to read it"
_SHOWN_CHARACTERS = 300


def prepare_store(home: Path) -> str:
    """Set up the store below `home`, once, whatever number of processes ask; return its absolute URI.

    MLflow leaves a broken database behind when several processes meet a fresh one. A database of an older
    MLflow is copied aside and then upgraded.

    Raises:
        PlaceError: when `home` cannot be written.
        TrackingError: when the database cannot be set up.
    """
    home = home.resolve()
    database = home / DATABASE
    uri = sqlite_address(database)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "prepare.lock"):
            if not _is_prepared(home):
                _set_up(home, database, uri)
    except PermissionError as error:
        raise PlaceError(
            f"The folder {home} for the records of runs cannot be written ({error.strerror}). "
            "Make it writable, or name another one with FOUNDRY_HOME."
        ) from error
    return uri


def sqlite_address(database: Path, driver: str = "") -> str:
    """Address of a database file for SQLAlchemy, which takes a `?` for the path's end and reads escapes."""
    path = str(database).replace("%", "%25").replace("?", "%3F")
    if not driver and path != str(database):
        driver = "pysqlite"  # the usual one; where it is named, MLflow makes no folder of the escaped name
    return f"sqlite{'+' if driver else ''}{driver}:///{path}"


def sqlite_path(address: str) -> Path | None:
    """The database file of an address; None for any other."""
    dialect, _, path = address.partition(":///")
    return Path(unquote(path)) if path and dialect.split("+")[0] == "sqlite" else None


def artifact_root(home: Path) -> Path:
    """Where the files of runs rest that are recorded in the store below `home`."""
    return home.resolve() / "artifacts"


def server_command(home: Path, port: int, host: str = "127.0.0.1", artifacts: str = "") -> list[str]:
    """The command that shows a store in a browser; it serves the one that `server_environment` names.

    Args:
        home: folder of the files of runs, unless `artifacts` names another place.
        port: of the page.
        host: that is listened on; loopback unless told otherwise.
        artifacts: address of another place for the files of runs, such as `s3://bucket/prefix`.
    """
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--artifacts-destination", artifacts or artifact_root(home).as_uri()),
        *("--host", host),
        *("--port", str(port)),
        *("--workers", "1"),
        # What was installed before this package named its app goes without.
        *(("--app-name", APP) if entry_points(group="mlflow.app", name=APP) else ()),
    ]


def server_environment(uri: str) -> dict[str, str]:
    """What tells `server_command` its store: in the environment, since everybody may list arguments."""
    return {"MLFLOW_BACKEND_STORE_URI": uri}


def _is_prepared(home: Path) -> bool:
    """Whether this MLflow set the database up, and nobody has put an older or newer one in its place."""
    note = home / _PREPARED
    if not note.exists() or not (home / DATABASE).exists():
        return False
    noted = strict_json.loads(note.read_text(encoding="utf-8"))
    return noted["mlflow"] == version("mlflow") and noted.get("schema", _OF_EARLIER_NOTES) in (
        schema_of(home / DATABASE),
        _OF_EARLIER_NOTES,
    )


def schema_of(database: Path) -> str:
    """Revision of the tables of an MLflow database, as its migrations name it; empty where there is none."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        return ""
    return str(found[0]) if found else ""


def _set_up(home: Path, database: Path, uri: str) -> None:
    if database.exists():
        _copy_aside(database)
        _make(database, uri, home)
    else:
        _make_new(database, home)
    note = {"mlflow": version("mlflow"), "schema": schema_of(database)}
    (home / _PREPARED).write_text(strict_json.dumps(note), encoding="utf-8")


def _make_new(database: Path, home: Path) -> None:
    """Make a database beside its place: half of one, that a killed process leaves, could not be upgraded."""
    for left in home.glob(f"*{_MAKING}*"):
        left.unlink()
    new = home / f"{uuid.uuid4().hex}{_MAKING}"
    _make(new, sqlite_address(new), home)
    new.rename(database)


def _make(database: Path, uri: str, home: Path) -> None:
    _migrate(database, uri)
    _create_default_experiment(uri, artifact_root(home))


def _migrate(database: Path, uri: str) -> None:
    """Bring a database, or none, to the installed MLflow's schema.

    In a process of its own: the migrations log every step to the standard error of whoever runs them.
    """
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", uri]
    upgrade = subprocess.run(command, capture_output=True, check=False)
    if upgrade.returncode:
        said = upgrade.stderr.decode("utf-8", "backslashreplace").strip()
        newer = _UNKNOWN_REVISION in said
        raise TrackingError(_broken(database, _NEWER if newer else said[-_SHOWN_CHARACTERS:]))


def _create_default_experiment(uri: str, root: Path) -> None:
    """Give MLflow's own experiment an absolute folder; left to itself it takes the working directory."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, root.as_uri()).engine.dispose()  # type: ignore[no-untyped-call]


def _copy_aside(database: Path) -> None:
    if not database.exists():
        return
    copy = database.with_suffix(f".before-{version('mlflow')}.db")
    try:
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.DatabaseError as error:
        raise TrackingError(_broken(database, str(error))) from error


def _broken(database: Path, reason: str) -> str:
    return (
        f"MLflow's database {database} cannot be set up: {reason}. Move the file away to start a new one; "
        "what the journals of earlier runs still hold is sent to it."
    )
