"""Prefect's database: brought to the installed version by one server at a time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from blip_core.databases import connected, one_at_a_time
from blip_core.wiring import PREFECT_DATABASE, workplace

if TYPE_CHECKING:
    from fastapi import FastAPI


def check_prefect_database() -> None:
    """Refuse a database that was named and cannot be used.

    Raises:
        PlaceError: No server answers, or it has no such database, or it refuses the login.
    """
    address = workplace().prefect_database
    if address:
        with connected(address, PREFECT_DATABASE):
            return


def migrate_one_at_a_time() -> None:
    """Let the server of this process migrate a PostgreSQL database under a lock that lies in the database.

    Prefect locks against threads of its own process alone; two servers that start on a fresh database at
    once would both make its tables.
    """
    address = workplace().prefect_database
    if not address:
        return
    from prefect.server.database import interface
    from prefect.server.database.alembic_commands import alembic_upgrade

    vars(interface)["alembic_upgrade"] = _locked(alembic_upgrade, address)  # by this name it is called there


def _locked(upgrade: Callable[..., Any], address: str) -> Callable[..., Any]:
    def locked(*given: Any, **named: Any) -> Any:
        with one_at_a_time(address, PREFECT_DATABASE):
            return upgrade(*given, **named)

    return locked


def create_app() -> "FastAPI":
    """Prefect's server, as uvicorn asks for it."""
    migrate_one_at_a_time()
    from prefect.server.api.server import create_app as prefect_app

    return prefect_app()
