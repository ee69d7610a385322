"""PostgreSQL databases of both servers: their addresses, whether they can be used, one migration at a time.

One address is written for all who connect: it is given the driver of each, and the words that its driver has
for the same options.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from blip_core.connecting import without_password
from blip_core.errors import BackupError, DatabaseAway, PlaceError

if TYPE_CHECKING:
    from psycopg import Connection

ASYNC_DRIVER = "asyncpg"  # Prefect's
DRIVER = "psycopg"  # MLflow's, and ours
CONNECT_SECONDS = 4  # a person waits for the sentence

_DEBIAN = Path("/usr/lib/postgresql")  # where the tools of each version lie
_SCHEMES = ("postgresql", "postgres")
_EXAMPLE = "postgresql://USER:PASSWORD@HOST:5432/NAME"
_INSTALL = "pip install 'blip-foundry[postgres]'"
# The same options by their names in libpq, which psycopg and the tools read, and in asyncpg.
_ASYNC_NAMES = {"sslmode": "ssl", "connect_timeout": "timeout"}
_POLL_SECONDS = 0.2
_LOCK = 0x0F0D21  # any number of our own: whoever migrates holds it in the database itself


def is_postgres(address: str) -> bool:
    """Whether an address is one of PostgreSQL, with a driver or without."""
    return address.partition("://")[0].partition("+")[0].lower() in _SCHEMES


def check_address(address: str, variable: str) -> None:
    """Refuse an address that names no database of PostgreSQL.

    Raises:
        PlaceError: It does not.
    """
    try:
        parts = urlsplit(address)
        holds = is_postgres(address) and bool(parts.path.strip("/")) and parts.port != 0
        holds = holds and "password" not in dict(parse_qsl(parts.query))
    except ValueError:  # no port
        holds = False
    if not holds:
        raise PlaceError(
            f"{variable} is {without_password(address)!r}: allowed is the address of a PostgreSQL database, "
            f"as in {_EXAMPLE}; signs such as @ and / in a password are written as %40 and %2F"
        )


def with_driver(address: str, driver: str) -> str:
    """The address for SQLAlchemy with a driver, whatever driver it names or none."""
    return _rewritten(address, f"postgresql+{driver}", driver)


def without_driver(address: str) -> str:
    """The address for PostgreSQL's own library and tools."""
    return _rewritten(address, "postgresql", DRIVER)


@contextmanager
def connected(address: str, variable: str) -> Iterator["Connection[Any]"]:
    """A connection; what is executed is committed at once.

    Args:
        address: of the database.
        variable: of the environment, that named it.

    Raises:
        DatabaseAway: No server answers.
        PlaceError: There is no driver, no such database, or the login is refused.
    """
    try:
        import psycopg
    except ImportError as error:
        raise PlaceError(
            f"{variable} names a PostgreSQL database and psycopg is not installed: {_INSTALL}"
        ) from error
    try:
        connection = psycopg.connect(without_driver(address), autocommit=True)
    except psycopg.Error as error:
        raise _explained(error, address, variable) from error
    with connection:
        yield connection


@contextmanager
def one_at_a_time(address: str, variable: str) -> Iterator["Connection[Any]"]:
    """Hold the lock of migrations, which lies in the database: whoever else wants to migrate it waits.

    The lock ends with the connection, so that a migration that is killed leaves none behind. Whoever waits
    asks again and again: a statement that waited would hold a snapshot, which migrations that make an index
    concurrently wait for in turn.

    Raises:
        PlaceError: The database cannot be used.
    """
    with connected(address, variable) as connection:
        while connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() != (True,):
            time.sleep(_POLL_SECONDS)
        yield connection


def revision(connection: "Connection[Any]") -> str:
    """Revision of the tables, as Alembic's migrations name it; empty in a fresh database."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return ""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else ""


def _rewritten(address: str, scheme: str, driver: str) -> str:
    parts = urlsplit(address)
    query = {_named(name, driver): value for name, value in parse_qsl(parts.query)}
    query.setdefault(_named("connect_timeout", driver), str(CONNECT_SECONDS))
    return f"{scheme}://{parts.netloc}{parts.path}?{urlencode(query, quote_via=quote, safe='/')}"


def _named(option: str, driver: str) -> str:
    if driver == ASYNC_DRIVER:
        return _ASYNC_NAMES.get(option, option)
    return next((ours for ours, theirs in _ASYNC_NAMES.items() if theirs == option), option)


def _explained(error: Exception, address: str, variable: str) -> PlaceError:
    """What a refusal means, and what to do about it."""
    where, parts = without_password(address), urlsplit(address)
    reason = _reason(error)
    name, user = parts.path.strip("/"), parts.username or "this user"
    if reason.endswith("does not exist") and "database" in reason:
        return PlaceError(f"{variable}: there is no database {name} at {where}; make it: createdb {name}")
    if "authentication" in reason or "role" in reason or "no password supplied" in reason:
        return PlaceError(
            f"{variable}: the server at {where} refuses the login of {user}; mend user or password in the "
            f"address ({reason})"
        )
    return DatabaseAway(
        f"{variable}: no PostgreSQL server answers at {where} ({reason}); start it, or mend the address"
    )


def _reason(error: Exception) -> str:
    """The last thing a server or its library said, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "FATAL" in line or "failed" in line), "")
    said = said or (lines[-1] if lines else type(error).__name__)
    return without_password(said.rpartition("FATAL:")[2].strip())


def holds_tables(address: str, variable: str) -> bool:
    """Whether somebody has made tables in a database.

    Raises:
        PlaceError: It cannot be used.
    """
    with connected(address, variable) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    return bool(found != (0,))


def dump(address: str, variable: str, file: Path) -> None:
    """Write a database to a file, as it is at one instant, by PostgreSQL's own tool.

    Raises:
        PlaceError: The database cannot be used, or the tool is missing.
        BackupError: The tool failed.
    """
    with connected(address, variable):
        _run_tool("pg_dump", address, ["--format=custom", "--no-owner", f"--file={file}"])


def load(address: str, variable: str, file: Path) -> None:
    """Fill an empty database from such a file, whole or not at all.

    Raises:
        PlaceError: The database cannot be used, or the tool is missing.
        BackupError: The tool failed.
    """
    with connected(address, variable):
        _run_tool("pg_restore", address, ["--no-owner", "--single-transaction", str(file)])


def _run_tool(name: str, address: str, options: Sequence[str]) -> None:
    """Run a tool; the password goes where nobody lists it."""
    beside = sorted(map(str, _DEBIAN.glob(f"*/bin/{name}")))
    program = shutil.which(name) or (beside[-1] if beside else "")
    if not program:
        raise PlaceError(
            f"{name} is missing: install PostgreSQL's client (apt-get install postgresql-client)"
        )
    database = f"--dbname={without_password(without_driver(address))}"
    with NamedTemporaryFile("w", prefix="pgpass-") as secret:  # readable by this user alone
        secret.write(f"*:*:*:*:{_escaped(unquote(urlsplit(address).password or ''))}\n")
        secret.flush()
        command = ["env", f"PGPASSFILE={secret.name}", program, database, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = without_password(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "")
        raise BackupError(f"{name} of {without_password(address)} failed: {said}")


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")
