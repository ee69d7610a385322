"""Prefect's command line, whose server can schedule runs and shares a database with others of its kind.

Prefect 3.8 inserts scheduled runs in bulk, each with its `state`, a hybrid of the model and no column of it.
SQLAlchemy 2.0 passed such a key over. 2.1, which homes with a `?` in their path need, refuses it, and no
schedule would ever make a run. Here the key is passed over again; states go in on their own, as before.
"""

import sys
from collections.abc import MutableMapping
from typing import Any

from blip_core.wiring import prepare_environment, workplace
from blip_core.wiring.binding import PREFECT_LOGIN, check_host, host_of, is_loopback, names_of_loopback
from flows.cli.app import speak
from flows.prefect_database import check_prefect_database, migrate_one_at_a_time

_IN_MEMORY = "prefect-in-memory"  # the host that automations and services of the server call it by


def pass_over_state() -> None:
    """Let flow runs be inserted in bulk with a state beside them."""
    from prefect.server.database.orm_models import FlowRun

    hybrid: Any = vars(FlowRun)["state"]
    if getattr(hybrid, "bulk_dml_setter", None) is None:
        hybrid.bulk_dml_setter = _pass_over


def _pass_over(cls: type, mapping: MutableMapping[str, Any], value: Any) -> None:
    del cls, mapping, value


def answer_to(names: list[str]) -> None:
    """Let the server answer under these names alone: no page on the web leads browsers here under its own."""
    from prefect.server.api import server
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    create = server.create_app

    def create_app(*given: Any, **named: Any) -> Any:
        """The server's app is made once; automations ask for it again to act through it, in this process."""
        app = create(*given, **named)
        if app.middleware_stack is None:
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*names, _IN_MEMORY])
        return app

    vars(server)["create_app"] = create_app


def main() -> None:
    """Run Prefect's command line.

    Raises:
        PlaceError: A server would let other machines in without a login.
    """
    prepare_environment(workplace())
    if sys.argv[1:3] == ["server", "start"]:
        host = host_of(sys.argv[3:])
        check_host(host, PREFECT_LOGIN)
        if is_loopback(host):
            answer_to(names_of_loopback())
    check_prefect_database()
    from prefect.cli import app

    pass_over_state()
    migrate_one_at_a_time()
    app()


if __name__ == "__main__":
    speak(main)
