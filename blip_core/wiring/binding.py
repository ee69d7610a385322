"""Which addresses servers of ours may listen on: this machine's own, and others only behind a login."""

import ipaddress
import os
from collections.abc import Sequence

from blip_core.errors import PlaceError

LOOPBACK_NAMES = ("127.0.0.1", "localhost")
PREFECT_LOGIN = ("PREFECT_SERVER_API_AUTH_STRING",)  # USER:PASSWORD
MLFLOW_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
ALLOWED_HOSTS = "FOUNDRY_ALLOWED_HOSTS"


def check_host(host: str, login: tuple[str, ...]) -> None:
    """Refuse to let other machines in without a login.

    Args:
        host: address that a server is to listen on.
        login: variables that hold the login which its clients have to send.

    Raises:
        PlaceError: It is not this machine's own address, and there is no login.
    """
    missing = [name for name in login if not os.environ.get(name)]
    if is_loopback(host) or not missing:
        return
    raise PlaceError(
        f"--host {host} lets other machines in, and there is no login: set {' and '.join(missing)}, which "
        "clients have to send, or leave --host out and stay on this machine"
    )


def host_of(arguments: Sequence[str]) -> str:
    """Address that Prefect's server is to listen on, by its own arguments, variable and default."""
    for number, argument in enumerate(arguments):
        if argument.startswith("--host="):
            return argument.removeprefix("--host=")
        if argument == "--host" and number + 1 < len(arguments):
            return arguments[number + 1]
    return os.environ.get("PREFECT_SERVER_API_HOST") or LOOPBACK_NAMES[0]


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own and no other's."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_of_loopback() -> list[str]:
    """Names under which a server on loopback is asked: its own, and those that the environment allows."""
    further = os.environ.get(ALLOWED_HOSTS, "").split(",")
    return [*LOOPBACK_NAMES, *(name.strip() for name in further if name.strip())]
