"""Brings a database to the installed MLflow's schema; what is to be done stands on standard input, as JSON.

A process of its own: the migrations log every step to the standard error of whoever runs them.
"""

import sys
from importlib import import_module
from typing import Any

from blip_core import strict_json


def main() -> None:
    """Make or upgrade the tables, and give MLflow's own experiment an absolute folder."""
    asked = strict_json.loads(sys.stdin.read())
    upgrade(asked["uri"])
    make_store: Any = import_module("mlflow.store.tracking.sqlalchemy_store").SqlAlchemyStore
    make_store(asked["uri"], asked["artifacts"])


def upgrade(uri: str) -> None:
    """Do as `mlflow db upgrade` does, whose address would stand where everybody may list it."""
    utils: Any = import_module("mlflow.store.db.utils")  # without annotations
    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    if utils._is_empty_database(engine):  # noqa: SLF001
        utils._initialize_tables(engine)  # noqa: SLF001
    else:
        utils._upgrade_db(engine)  # noqa: SLF001


if __name__ == "__main__":
    main()
