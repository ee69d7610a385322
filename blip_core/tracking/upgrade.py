"""Brings a database to the installed MLflow's schema; what is to be done stands on standard input, as JSON.

A process of its own: the migrations log every step to the standard error of whoever runs them.
"""

import sys

from blip_core import strict_json


def main() -> None:
    """Make or upgrade the tables, and give MLflow's own experiment an absolute folder."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    asked = strict_json.loads(sys.stdin.read())
    engine = utils.create_sqlalchemy_engine_with_retry(asked["uri"])
    if utils._is_empty_database(engine):  # noqa: SLF001 - as `mlflow db upgrade` does
        utils._initialize_tables(engine)  # noqa: SLF001
    else:
        utils._upgrade_db(engine)  # noqa: SLF001
    SqlAlchemyStore(asked["uri"], asked["artifacts"])


if __name__ == "__main__":
    main()
