"""What libraries, and processes that are started, are told through the environment."""

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from blip_core.databases import ASYNC_DRIVER, with_driver
from blip_core.tracking import quiet_environment, sqlite_address
from blip_core.wiring.logins import part_logins
from blip_core.wiring.places import PREFECT_FILE, Workplace
from blip_core.wiring.proxies import proxy_environment

_PINNED = {"OMP_DYNAMIC": "false"}  # a recipe's number of threads is part of keys: nothing else may choose it
_COMMIT = "COMMIT"  # written by hatch_build.py into what is released
_CONNECTION = "PREFECT_API_DATABASE_CONNECTION_URL"
HEARTBEAT_SECONDS = 30  # Prefect grants no less; a run that says nothing for five of them is dead
RUNS_KEPT_SECONDS = 90 * 86_400  # Prefect's runs with their logs; MLflow and the store keep theirs
POOL_SIZE, POOL_OVERFLOW = 5, 10  # 15 connections a server: PostgreSQL admits 100 as it comes
RECYCLE_SECONDS = 1800  # firewalls forget connections that say nothing for an hour
_TEMPORARY_BYTES = 64_000_000  # several times what a page of a run takes while it is drawn
_USER_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # as `getpass` looks for them


def prepare_environment(place: Workplace) -> None:
    """Tell libraries through the environment what they ask it for; to be called before they are imported.

    What somebody has set already stays, but for proxies, which this machine's own addresses never go through,
    and for what changes the number of threads behind a recipe's back.

    Raises:
        PlaceError: The environment names a proxy that cannot be used.
    """
    part_logins()
    os.environ.update({**proxy_environment(os.environ), **_PINNED})
    os.environ.pop("OMP_THREAD_LIMIT", None)
    for name, value in {**_library_environment(place), **_account(place, os.environ)}.items():
        os.environ.setdefault(name, value)
    _give_room_to_temporary_files(place)
    if "FOUNDRY_HOME" in os.environ:
        os.environ["FOUNDRY_HOME"] = str(place.home)  # processes that are started may stand elsewhere
    if place.store_address:
        os.environ["FOUNDRY_STORE"] = place.store_address.address
    # On some CPUs bitsandbytes advises to install code from the hub, which is never run here.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def go_online(place: Workplace) -> None:
    """Prepare a process whose purpose is to ask the hub; to be called before its library is imported."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ[name] = "0"
    prepare_environment(place)


def _library_environment(place: Workplace) -> dict[str, str]:
    return {
        **quiet_environment(),
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",  # runs use what is there
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "BITSANDBYTES_NOWELCOME": "1",
        # Nothing here is compiled, but bitsandbytes would have torch load its whole compiler for functions
        # that it replaces by others: more than a second of CPU in every process that loads a model.
        "TORCHDYNAMO_DISABLE": "1",
        "MPLBACKEND": "agg",
        # Threads that wait sleep: spinning, they keep each other from the cores that other programs are on.
        "OMP_WAIT_POLICY": "PASSIVE",
        **_prefect_places(place),
        **_pools(place),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",  # what a server says while its database restarts
        # What the library says, in this process or in those of a tuning, stands in the run's log, too.
        "PREFECT_LOGGING_EXTRA_LOGGERS": "blip_core,tasks,flows",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(RUNS_KEPT_SECONDS),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the page shows them, the terminal our lines
    }


def _prefect_places(place: Workplace) -> dict[str, str]:
    """Prefect's home, and its database there or where it was named; in another home it is where that is."""
    if place.prefect_database:
        database = with_driver(place.prefect_database, ASYNC_DRIVER)
        return {"PREFECT_HOME": str(place.prefect), _CONNECTION: database}
    if "PREFECT_HOME" in os.environ:
        return {}
    database = sqlite_address(place.prefect / PREFECT_FILE, "aiosqlite")
    return {"PREFECT_HOME": str(place.prefect), _CONNECTION: database}


def _pools(place: Workplace) -> dict[str, str]:
    """Connections that each server keeps, and may have at once, where a database has many users."""
    prefect = {
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": str(POOL_SIZE),
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": str(POOL_OVERFLOW),
    }
    mlflow = {
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(POOL_SIZE),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(POOL_OVERFLOW),
        "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": str(RECYCLE_SECONDS),
    }
    return {**(prefect if place.prefect_database else {}), **(mlflow if place.mlflow_database else {})}


def _account(place: Workplace, environment: Mapping[str, str]) -> dict[str, str]:
    """What libraries ask for that take it for granted that a user has a name and a home."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        named = any(environment.get(name) for name in _USER_NAMES)
        return {"HOME": str(place.home), **({} if named else {"USER": f"uid-{os.getuid()}"})}
    return {}


def _give_room_to_temporary_files(place: Workplace) -> None:
    """Let them lie below the home where the usual folder is full or cannot be written."""
    try:
        usual = Path(tempfile.gettempdir())
        if usual != Path.cwd() and shutil.disk_usage(usual).free >= _TEMPORARY_BYTES:
            return
    except OSError:  # there is none, or no working directory
        pass
    folder = place.home / "tmp"
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None  # it is looked for anew


def hub_cache() -> Path:
    """Where the hub's own tools keep what they fetch, by the same variables as theirs."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{base}/huggingface"
    cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return Path(os.path.expandvars(cache)).expanduser()


def prefect_api_url() -> str:
    """Address of the Prefect server that the environment names; empty, the embedded one is meant."""
    part_logins()
    return os.environ.get("PREFECT_API_URL", "")


def use_prefect_api(url: str) -> None:
    """Let Prefect use a server, or the embedded one when the address is empty; before Prefect is imported."""
    if url:
        os.environ["PREFECT_API_URL"] = url
    else:
        os.environ.pop("PREFECT_API_URL", None)


def library_environment() -> dict[str, str]:
    """The environment for processes that this one starts."""
    return dict(os.environ)


def git_commit() -> str:
    """Commit of the code that runs: of its checkout, or of the release; empty where neither tells."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return _built_from()
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # no git here
        return ""
    return said.stdout.strip()


def _built_from() -> str:
    written = Path(__file__).resolve().parents[1] / _COMMIT
    return written.read_text(encoding="ascii").strip() if written.exists() else ""
