"""Logins that the addresses of servers hold: libraries get them apart, so that no address tells a password.

An address is shown on pages, logged and stored by many libraries; a login that stands in the variable made
for it is not.
"""

import os
from collections.abc import Callable

from blip_core.connecting import login_of, without_password

_PREFECT = "PREFECT_API_URL"
_MLFLOW = "MLFLOW_TRACKING_URI"


def part_logins() -> None:
    """Move the logins of both servers' addresses to where Prefect and MLflow look for them.

    What somebody has set there already stays.
    """
    _part(_PREFECT, lambda name, password: {"PREFECT_API_AUTH_STRING": f"{name}:{password}"})
    _part(
        _MLFLOW,
        lambda name, password: {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password},
    )


def _part(variable: str, as_variables: Callable[[str, str], dict[str, str]]) -> None:
    address = os.environ.get(variable, "")
    name, password = login_of(address) if address.startswith(("http://", "https://")) else ("", "")
    if not name and not password:
        return
    os.environ[variable] = without_password(address)
    for other, value in as_variables(name, password).items():
        os.environ.setdefault(other, value)
